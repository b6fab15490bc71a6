"""Scores of choices by the objective's own score, given the prompt.

The prompt is the context of a row and the choice its answer: a pseudo-
likelihood hides the tokens of the choice one by one, and the prompt is seen
whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from lm_jax.inference.score import Scorer
from lm_jax.loaded_model import Trained
from lm_jax.prompting import pairs as pairs_lib
from lm_jax.prompting.pairs import Pair, Scores, Splitter
from lm_jax.support.errors import UsageError
from lm_jax.types import ANSWER, CONTEXT, PADDING, Rows

# A pass for each token of a choice: fewer rows at once than elsewhere.
_ROWS = 16


class ObjectiveScorer:
  """A lm_jax.prompting.pairs.ChoiceScorer.

  Args:
    model: with a tokenizer and an output that its objective scores by.

  Raises:
    UsageError: it has none.
  """

  def __init__(self, model: Trained):
    self.kind = model.scoring
    if not self.kind:
      raise UsageError(
        f"{model.name}: has no output to score texts by; it has"
        f" {model.outputs_shown}"
      )
    self.room = model.spec.length
    self._scorer = Scorer(model)
    self._specials = model.spec.specials
    self._tokenizer = model.require_tokenizer()
    self._splitter = Splitter(self._tokenizer)
    self._programs: set[tuple[int, int]] = set()

  @property
  def programs(self) -> int:
    return len(self._programs)

  def size(self, prompt: str, choices: Iterable[str]) -> int:
    """Tokens of a prompt with its longest choice and what is around it."""
    around = len(self._specials.before) + len(self._specials.after)
    return around + max(
      len(self._tokenizer.encode(prompt + choice)) for choice in choices
    )

  def scores(self, pairs: Sequence[Pair]) -> Scores:
    """Scores each pair; equal ones are computed once."""
    distinct = list(dict.fromkeys(pairs))
    rows = [self._row(pair) for pair in distinct]
    sums, tokens = np.zeros(len(rows)), np.zeros(len(rows), np.int64)
    sizes = np.array([pairs_lib.slots(row.shape[1]) for row in rows])
    sizes = np.minimum(sizes, max(self.room, 1))
    for index, slots, size in pairs_lib.progress(_batches(sizes)):
      self._programs.add((slots, size))
      some = [rows[i] for i in index]
      some += some[:1] * (size - len(some))
      stacked = _stacked(some, slots, self._specials.pad)
      found_BxL = self._scorer.token_scores(stacked)
      sums[index] = found_BxL.astype(np.float64).sum(axis=1)[: len(index)]
    for i, row in enumerate(rows):
      tokens[i] = (row[3] == ANSWER).sum()
    place = {pair: i for i, pair in enumerate(distinct)}
    order = [place[pair] for pair in pairs]
    return Scores(sums[order], tokens[order])

  def _row(self, pair: Pair) -> np.ndarray:
    """tokens, words, sentences and parts: int32 [4, n]; too long ones cut."""
    encoded = self._tokenizer.encode_batch([pair.prompt + pair.choice])[0]
    length = self._splitter.cut(pair, encoded.ids.tolist())
    before, after = self._specials.before, self._specials.after
    count = len(encoded.ids)
    spare = 0
    if self.room:
      spare = max(0, count + len(before) + len(after) - self.room)
    if spare >= max(length, 1):
      raise UsageError(
        f"a choice of {count - length} tokens: the model reads {self.room}"
      )
    encoded, count, length = encoded[spare:], count - spare, length - spare
    start, end = len(before), len(before) + count
    row = np.zeros((4, end + len(after)), np.int32)
    row[0] = [*before, *encoded.ids, *after]
    # Special tokens are words of their own.
    row[1, :start] = np.arange(start)
    row[1, start:end] = start + encoded.word
    row[1, end:] = 1 + row[1, :end].max(initial=0) + np.arange(len(after))
    row[2, start:end] = encoded.sentence
    row[2, end:] = row[2, :end].max(initial=0)
    row[3] = CONTEXT
    row[3, start + length : end] = ANSWER
    return row


def _batches(sizes_N: np.ndarray) -> Iterator[tuple[np.ndarray, int, int]]:
  """Yields rows of similar length: their numbers, slots, rows of a batch."""
  for slots in map(int, np.unique(sizes_N)):
    members = np.flatnonzero(sizes_N == slots)
    size = min(_ROWS, pairs_lib.batch(slots))
    for start in range(0, len(members), size):
      yield members[start : start + size], slots, size


def _stacked(rows: Sequence[np.ndarray], slots: int, pad: int) -> Rows:
  """Puts rows at the right of their slots, so that choices are aligned."""
  fields = np.zeros((4, len(rows), slots), np.int32)
  fields[0] = pad
  fields[3] = PADDING
  for number, row in enumerate(rows):
    fields[:, number, slots - row.shape[1] :] = row
  segment = (fields[3] != PADDING).astype(np.int32)
  return Rows(fields[0], segment, fields[1], fields[2], fields[3])
