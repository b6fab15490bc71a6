"""Examples with candidate answers, each of which a head gives a score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from lm_jax.data.tokenizer import Tokenizer
from lm_jax.examples.forms import Example
from lm_jax.finetuning.heads import _reading, base
from lm_jax.finetuning.heads._reading import Reading
from lm_jax.finetuning.heads.base import NO_LABEL, Encoded, Item
from lm_jax.objectives import _supervised
from lm_jax.support.errors import UsageError, short


class MultipleChoice(base.Kind):
  """One item an example, in which its candidates stand one after another.

  Each has an equal share of a row at most; one that is too long is cut, and
  its example counted. Item.label has twice the index of a token's candidate,
  plus 1 if that is the right one.
  """

  def options(self, task: Any, train: Sequence[Example]) -> Mapping[str, Any]:
    return {"choices": len(task.choices)}

  def encode(self, task, examples, tokenizer, length, options) -> Encoded:
    items, cut = [], 0
    for number, (example, read) in enumerate(
      zip(
        examples,
        _read(task, examples, tokenizer, length, options["choices"]),
        strict=True,
      )
    ):
      if example.label not in read.labels:
        raise UsageError(
          f"{task.name}, example {example.id}: label {short(example.label)}:"
          f" is none of its candidates {', '.join(read.labels)}"
        )
      right = read.labels.index(example.label)
      items.append(read.item(number, right))
      cut += any(candidate.cut for candidate in read.candidates)
    return Encoded(items, cut)

  def answer(self, model, task, examples) -> list[str]:
    """The label of each example's candidate of the highest score."""
    from lm_jax.finetuning import forward

    choices = model.objective.choices
    read = _read(task, examples, model.tokenizer, model.spec.length, choices)
    items = [one.item(number) for number, one in enumerate(read)]
    return [
      one.labels[int(logits_C[: len(one.labels)].argmax())]
      for one, logits_C in zip(read, forward.outputs(model, items), strict=True)
    ]


class _Read(NamedTuple):
  """An example's candidates, and the labels that they stand for."""

  labels: tuple[str, ...]
  candidates: Sequence[Reading]

  def item(self, example: int, right: int = -1) -> Item:
    """Puts choices side by side; `right` is the right one's index, if known."""
    tokens, text, label = [], [], []
    for number, (ids, of_text, _) in enumerate(self.candidates):
      tokens.append(ids)
      text.append(of_text)
      label.append(np.full(len(ids), 2 * number + (number == right), np.int32))
    # A row has room for one text in so many tokens; shorter ones take more.
    spare = _supervised.SHORTEST * len(tokens) - sum(map(len, tokens))
    if spare > 0:
      tokens.append(np.repeat(tokens[0][:1], spare))
      text.append(np.repeat(text[-1][-1:], spare))
      label.append(np.full(spare, NO_LABEL, np.int32))
    return Item(example, *map(np.concatenate, (tokens, text, label)))


def _read(
  task: Any,
  examples: Sequence[Example],
  tokenizer: Tokenizer,
  length: int,
  choices: int,
) -> list[_Read]:
  """The candidates of each example, each of at most length // choices tokens.

  Raises:
    UsageError: an example has too few or too many, or a candidate no room.
  """
  candidates = [task.candidates(example) for example in examples]
  # A passage is encoded once, however many candidates and questions it has.
  unique = list(
    dict.fromkeys(
      text
      for of_label in candidates
      for texts in of_label.values()
      for text in texts
    )
  )
  ids = dict(zip(unique, _reading.encode_all(tokenizer, unique), strict=True))
  room, results = length // choices, []
  for example, of_label in zip(examples, candidates, strict=True):
    where = f"{task.name}, example {example.id}"
    if not 2 <= len(of_label) <= choices:
      raise UsageError(
        f"{where}: has {len(of_label)} candidates; must be 2 to {choices}"
      )
    least = max(_reading.least(tokenizer, len(x)) for x in of_label.values())
    if room < least:
      raise UsageError(
        f"--length={length}: has {room} tokens for each of {choices}"
        f" candidates, and {where} needs at least {least} for one"
      )
    read = [
      _reading.joined(tokenizer, [ids[text] for text in texts], room)
      for texts in of_label.values()
    ]
    results.append(_Read(tuple(of_label), read))
  return results
