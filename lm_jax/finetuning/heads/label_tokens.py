"""Tags of the words of a text, predicted at each word's first token."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from lm_jax.data import words as words_lib
from lm_jax.data.tokenizer import Tokenizer
from lm_jax.examples.forms import Tagged
from lm_jax.finetuning.heads import _reading, base
from lm_jax.finetuning.heads.base import NO_LABEL, Encoded, Item
from lm_jax.support.errors import UsageError, short

OUTSIDE = "O"


class LabelTokens(base.Kind):
  """One item a text, its words joined; what is too long is cut."""

  def options(self, task: Any, train: Sequence[Tagged]) -> Mapping[str, Any]:
    return {"labels": labels_of(train)}

  def texts(self, task: Any, examples: Sequence[Tagged]) -> Iterator[str]:
    # A tokenizer that is trained on them learns no token across words.
    for example in examples:
      yield " ".join(example.words)

  def encode(self, task, examples, tokenizer, length, options) -> Encoded:
    numbers = {label: i for i, label in enumerate(options["labels"])}
    items, cut = [], 0
    for i, one in enumerate(
      _read(examples, tokenizer, length, options["spaces"])
    ):
      label_n = np.full(len(one.tokens), NO_LABEL, np.int32)
      for tag, place in zip(examples[i].tags, one.place, strict=True):
        if tag not in numbers:
          raise UsageError(
            f"{task.name}, example {examples[i].id}: tag {short(tag)}: was"
            f" never seen in training; the model knows {', '.join(numbers)}"
          )
        if place >= 0:
          label_n[place] = numbers[tag]
      items.append(one.item(i, label_n))
      cut += one.cut
    return Encoded(items, cut)

  def answer(self, model, task, examples) -> list[list[str]]:
    """The tags of each example's words; "O" of those that were not read."""
    from lm_jax.finetuning import forward

    read = _read(
      *(examples, model.tokenizer, model.spec.length, model.objective.spaces)
    )
    items = [
      one.item(i, np.full(len(one.tokens), NO_LABEL, np.int32))
      for i, one in enumerate(read)
    ]
    labels = model.objective.labels
    answers = []
    for one, logits_nxC in zip(
      read, forward.outputs(model, items), strict=True
    ):
      best_n = logits_nxC.argmax(axis=-1)
      answers.append(
        [labels[best_n[p]] if p >= 0 else OUTSIDE for p in one.place]
      )
    return answers


def labels_of(train: Sequence[Tagged]) -> tuple[str, ...]:
  """The tags of some examples: "O", then B and I of each of their kinds."""
  tags = {tag for example in train for tag in example.tags} - {OUTSIDE}
  kinds = sorted({tag.partition("-")[2] for tag in tags})
  inside = [f"{mark}-{kind}" for kind in kinds for mark in "BI"]
  return (OUTSIDE, *inside)


class _Read(NamedTuple):
  """A text as a model reads it.

  place: of each word's first token in `tokens`; -1 of a word that has none,
    or was cut.
  """

  tokens: np.ndarray
  text: np.ndarray
  place: list[int]
  cut: bool

  def item(self, example: int, label_n: np.ndarray) -> Item:
    return Item(example, self.tokens, self.text, label_n)


def _read(
  examples: Sequence[Tagged], tokenizer: Tokenizer, length: int, spaces: str
) -> list[_Read]:
  join = words_lib.joined if spaces == "script" else _with_spaces
  joined = [join(example.words) for example in examples]
  ahead = len(tokenizer.specials.before)
  results = []
  encoded = tokenizer.encoder.encode_spans([text for text, _ in joined])
  for example, (_, starts), (ids, spans_Tx2) in zip(
    examples, joined, encoded, strict=True
  ):
    read = _reading.joined(tokenizer, [ids], length)
    kept = len(read.tokens) - ahead - len(tokenizer.specials.after)
    place = [
      ahead + i if 0 <= i < kept else -1
      for i in first_tokens(example.words, starts, spans_Tx2)
    ]
    results.append(_Read(read.tokens, read.text, place, read.cut))
  return results


def _with_spaces(words: Sequence[str]) -> tuple[str, list[int]]:
  """Joins words as before there was a choice: with a space between all."""
  ends = itertools.accumulate((len(word) + 1 for word in words), initial=0)
  return " ".join(words), list(ends)[: len(words)]


def first_tokens(
  words: Sequence[str], starts: Sequence[int], spans_Tx2: np.ndarray
) -> list[int]:
  """The index of each word's first token; -1 of a word that has none.

  Args:
    words, starts: of a text, and their first characters in it.
    spans_Tx2: characters of the text's tokens, as `Encoder.encode_spans`.

  >>> spans_Tx2 = np.array([[0, 2], [3, 4], [4, 5]])
  >>> first_tokens(["so", "it", "is"], [0, 3, 6], spans_Tx2)
  [0, 1, -1]
  """
  is_some_T = spans_Tx2[:, 0] < spans_Tx2[:, 1]
  starts_T = spans_Tx2[is_some_T, 0]
  index_T = np.flatnonzero(is_some_T)
  tokens = []
  for word, start in zip(words, starts, strict=True):
    at = int(np.searchsorted(starts_T, start))
    inside = at < len(starts_T) and starts_T[at] < start + len(word)
    tokens.append(int(index_T[at]) if inside else -1)
  return tokens
