"""Scores of choices that stand in a blank, of masked models.

Schick and Schuetze 2021a, section 3 (PET), and 2021b, section 3: a choice of m
tokens has m masks, and log p(choice) is summed over them as they are filled
one after the other, the most probable token of the choice first.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from lm_jax.devices import sharding
from lm_jax.generation.infill import Filler, fitted
from lm_jax.inference.score import exact
from lm_jax.loaded_model import Trained
from lm_jax.prompting import pairs as pairs_lib
from lm_jax.prompting.pairs import Pair, Scores
from lm_jax.support.errors import UsageError
from lm_jax.types import ANSWER, PADDING, Rows

# What stands for the blank in a prompt: a text of no tokenizer's.
BLANK = "\ue000blank\ue000"

Ids = tuple[int, ...]


class _Row(NamedTuple):
  """A text with its blanks, and what belongs in each of them."""

  ids: Ids
  places: Ids
  tokens: Ids


class Cloze:
  """A lm_jax.prompting.pairs.ChoiceScorer whose prompts hold one BLANK.

  Args:
    model: with a tokenizer, that fills blanks.

  Raises:
    UsageError: it doesn't.
  """

  kind = "cloze"

  def __init__(self, model: Trained):
    Filler(model)  # Raises unless it fills blanks.
    self.room = model.spec.length
    self._model = model
    self._network = model.measuring
    self._tokenizer = model.require_tokenizer()
    self._mask = model.spec.specials.mask
    self._sign = self._tokenizer.decode([self._mask], skip_special_tokens=False)
    self._programs: set[tuple[int, ...]] = set()

  @property
  def programs(self) -> int:
    return len(self._programs)

  def size(self, prompt: str, choices: Iterable[str]) -> int:
    """Tokens of a prompt with its longest choice and what is around it."""
    return max(len(self._row(Pair(prompt, c), cut=False).ids) for c in choices)

  def scores(self, pairs: Sequence[Pair]) -> Scores:
    """Scores each pair; equal texts are read once."""
    distinct = list(dict.fromkeys(pairs))
    rows = [self._row(pair) for pair in distinct]
    tokens = np.array([len(row.tokens) for row in rows], np.int64)
    sums = np.zeros(len(rows))
    todo = list(range(len(rows)))
    while todo:
      groups: dict[Ids, list[int]] = {}
      for i in todo:
        groups.setdefault(rows[i].ids, []).append(i)
      for i, logs_P in self._logs(groups, rows):
        row = rows[i]
        best = int(logs_P.argmax())
        sums[i] += logs_P[best]
        ids = list(row.ids)
        ids[row.places[best]] = row.tokens[best]
        rows[i] = _Row(
          tuple(ids), _without(row.places, best), _without(row.tokens, best)
        )
      todo = [i for i in todo if rows[i].places]
    place = {pair: i for i, pair in enumerate(distinct)}
    order = [place[pair] for pair in pairs]
    return Scores(sums[order], tokens[order])

  def _logs(self, groups: dict[Ids, list[int]], rows: list[_Row]):
    """Yields each row's log p of its tokens at their places: (number, [P])."""
    sized: dict[tuple[int, int, int], list[list[int]]] = {}
    for ids, members in groups.items():
      slots = min(pairs_lib.slots(len(ids)), self.room)
      blanks = _power(len(rows[members[0]].places))
      key = slots, blanks, _power(len(members))
      sized.setdefault(key, []).append(members)
    run = _compiled(self._model.objective, self._network, self._model.spec)
    for key, numbers in sorted(sized.items()):
      slots, blanks, choices = key
      size = pairs_lib.batch(slots)
      self._programs.add((*key, size))
      for start in range(0, len(numbers), size):
        some = numbers[start : start + size]
        places = np.zeros((size, blanks), np.int32)
        tokens = np.zeros((size, blanks, choices), np.int32)
        texts: list[Ids] = []
        for b, members in enumerate(some):
          texts.append(rows[members[0]].ids)
          at = rows[members[0]].places
          places[b, : len(at)] = at
          for c, i in enumerate(members):
            tokens[b, : len(at), c] = rows[i].tokens
        texts += texts[:1] * (size - len(texts))
        laid = _lay_out_texts(texts, slots, self._model.spec.specials.pad)
        logs = run(self._model.params, laid, places, tokens)
        logs_BxPxC = sharding.fetch(logs).astype(np.float64)
        for b, members in enumerate(some):
          for c, i in enumerate(members):
            yield i, logs_BxPxC[b, : len(rows[i].places), c]

  def _row(self, pair: Pair, cut: bool = True) -> _Row:
    left, blank, right = pair.prompt.partition(BLANK)
    if not blank or BLANK in right:
      raise UsageError("cloze: a prompt must have {{ mask }} once")
    tokens = self._tokens(left, pair.choice.lstrip(" "))
    front, back = self._around(left, right)
    specials = self._model.spec.specials
    if cut:
      fixed = len(specials.before) + len(specials.after) + len(tokens)
      room = self.room - fixed
      if room < 0:
        raise UsageError(
          f"a choice of {len(tokens)} tokens: the model reads {self.room}"
        )
      front, back = fitted(front, back, room)
    start = len(specials.before) + len(front)
    masks = (self._mask,) * len(tokens)
    ids = (*specials.before, *front, *masks, *back, *specials.after)
    return _Row(ids, tuple(range(start, start + len(tokens))), tokens)

  def _tokens(self, left: str, choice: str) -> Ids:
    """Returns the tokens of the choice where it stands in the text.

    Where it shares a token with the text on its left, which keeps its tokens
    in the masked text, the choice is encoded by itself.
    """
    before = self._tokenizer.encode(left.rstrip(" "))
    tokens = self._tokenizer.encode(left + choice)
    if tokens[: len(before)] == before:
      tokens = tokens[len(before) :]
    else:
      tokens = self._tokenizer.encode(choice)
    if not tokens:
      raise pairs_lib.no_tokens(Pair(left, choice))
    return tuple(tokens)

  def _around(self, left: str, right: str) -> tuple[list[int], list[int]]:
    """Tokens on both sides of the mask.

    The mask may take the space before it into itself (RoBERTa), which its
    tokenizer knows. Where a text spells special tokens that it may not have,
    its sides are encoded by themselves.
    """
    encode = self._tokenizer.encode
    ids = encode(left + self._sign + right, parse_special=True)
    special = set(self._model.spec.specials.ids)
    special.discard(self._model.spec.specials.unknown)
    marks = [i for i in ids if i in special]
    if marks == [self._mask]:
      place = ids.index(self._mask)
      return ids[:place], ids[place + 1 :]
    if encode(f"a {self._sign}", parse_special=True)[:-1] == encode("a"):
      left = left.rstrip(" ")
    return encode(left), encode(right)


def _without(values: Ids, place: int) -> Ids:
  return values[:place] + values[place + 1 :]


def _power(number: int) -> int:
  return 1 << (number - 1).bit_length()


def _lay_out_texts(texts: Sequence[Ids], slots: int, pad: int) -> Rows:
  tokens = np.full((len(texts), slots), pad, np.int32)
  real = np.zeros((len(texts), slots), np.int32)
  for row, ids in enumerate(texts):
    tokens[row, : len(ids)] = ids
    real[row, : len(ids)] = 1
  word = np.broadcast_to(np.arange(slots, dtype=np.int32), tokens.shape)
  part = np.where(real > 0, ANSWER, PADDING).astype(np.int32)
  return Rows(tokens, real, word, np.zeros_like(tokens), part)


@functools.lru_cache(maxsize=8)
def _compiled(objective: Any, network: Any, spec: Any) -> Any:
  def logs(net, rows, places_BxP, tokens_BxPxC):
    logits_BxPxV = objective.fill(net, rows, spec, places_BxP)
    logs_BxPxV = jax.nn.log_softmax(logits_BxPxV.astype(jnp.float32))
    return jnp.take_along_axis(logs_BxPxV, tokens_BxPxC, axis=2)

  return exact(logs, network)
