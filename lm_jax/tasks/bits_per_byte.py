"""Measures bits per byte of held-out text, exactly or as a bound."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Any

import jax
import numpy as np

from lm_jax.examples import records
from lm_jax.report.metrics import BITS, BOUND
from lm_jax.specials import is_text
from lm_jax.tasks import base
from lm_jax.types import PADDING, Rows, Specials

ROWS = 256
BATCH = 16
# Documents that are encoded at once, to see what their unknown tokens hold.
_GROUP = 64


class BitsPerByte(base.Task):
  """Computes -log2 p(text) per UTF-8 byte of the validation rows.

  Each document's piece is scored by itself, given its boundary token. Special
  tokens are neither paid for nor counted. A bound has a metric of its own. A
  model with neither has no result.

  Unknown tokens are charged for: see `spelling`. That is a bound from above,
  and no value with such tokens is called exact.
  """

  needs_likelihood = True

  def measure(self, scorer, dataset, quick=False) -> base.Measure:
    if scorer.likelihood is None:
      return base.Measure()
    batches = dataset.fixed("validation", BATCH, limit_rows=ROWS)
    counts = dataset.bytes("validation")[:ROWS]
    if 0 < self.limit < len(counts):
      places = records.chosen(range(len(counts)), self.limit, self.seed)
      batches = chosen_rows(batches, places)
      counts = np.asarray(counts)[places]
    kind, estimator = scorer.likelihood.kind, scorer.likelihood.estimator
    bits = measured(scorer, batches, counts)
    facts: dict[str, Any] = {"kind": kind, "estimator": estimator}
    facts["unknown"] = unknown_share(batches, dataset.specials)
    value, scoring = bits.value, "log_likelihood"
    if facts["unknown"]:
      charge = spelling(batches, dataset) / float(np.sum(counts))
      value += charge
      facts |= {"kind": "bound", "unknown_bits": charge}
      scoring += ", unknown tokens spelt in bytes"
    if kind == "exact":
      return base.Measure({BITS: value}, scoring=scoring, likelihood=facts)
    facts |= {"standard_error": bits.error, "lengths": bits.lengths}
    scoring = f"upper bound by {estimator}"
    return base.Measure({BOUND: value}, scoring=scoring, likelihood=facts)


def chosen_rows(batches: Sequence[Rows], places: Sequence[int]) -> list[Rows]:
  """Selects rows of batches, in batches of at most BATCH."""
  whole = jax.tree.map(lambda *parts: np.concatenate(parts), *batches)
  return [
    jax.tree.map(lambda x, at=places[i : i + BATCH]: x[at], whole)
    for i in range(0, len(places), BATCH)
  ]


@dataclasses.dataclass(frozen=True)
class Bits:
  """Bits per byte of some rows.

  value: -log2 p(rows) / bytes, or an estimate of a bound from above.
  error: its standard error over draws of masks, for these rows; 0 if exact.
  lengths: bits per byte that would tell how many tokens each piece has and
    whether its document ends there, in a uniform code: at most that much is
    known to a model that sees both sides, and not to one that goes from left to
    right.
  """

  value: float
  error: float
  lengths: float


def measured(
  scorer: Any, batches: Sequence[Rows], byte_counts: Sequence[int]
) -> Bits:
  """Computes the bits per byte of rows.

  The error is that of a mean of independent draws: the sum over rows of their
  variance within the row, by their number.

  Args:
    scorer: the model (lm_jax/inference/score.py), with a likelihood.
    batches: rows.
    byte_counts: bytes of the text of each row of the batches.
  """
  draws = scorer.likelihood.draws
  nats, variance, lengths = 0.0, 0.0, 0.0
  for rows in batches:
    sums_DxB = np.stack(
      [
        scorer.log_likelihood(rows, draw).astype(np.float64).sum(axis=1)
        for draw in range(draws)
      ]
    )
    nats -= float(sums_DxB.mean(axis=0).sum())
    if draws > 1:
      variance += float(sums_DxB.var(axis=0, ddof=1).sum()) / draws
    lengths += _pieces(rows) * math.log(2 * rows.tokens_BxL.shape[1])
  unit = math.log(2) * float(np.sum(byte_counts))
  return Bits(nats / unit, math.sqrt(variance) / unit, lengths / unit)


def unknown_share(batches: Sequence[Rows], specials: Specials) -> float:
  """Counts the unknown tokens of rows, as a share of those of the text."""
  unknown, text = _counts(batches, specials)
  return unknown / max(text, 1)


def _counts(batches: Sequence[Rows], specials: Specials) -> tuple[int, int]:
  """Counts the unknown tokens of rows, and all tokens of their text."""
  unknown = text = 0
  for rows in batches:
    text_BxL = is_text(rows.tokens_BxL, specials) & (rows.part_BxL != PADDING)
    text += int(text_BxL.sum())
    unknown += int((text_BxL & (rows.tokens_BxL == specials.unknown)).sum())
  return unknown, text


def spelling(batches: Sequence[Rows], dataset: Any) -> float:
  """Computes the bits that spell what the unknown tokens of rows stand for.

  Such a token stands for any text. In a uniform code of 256 bytes and an end,
  one of b bytes takes (b + 1) log2 257 bits: a bound from above on what a model
  that knows its text would pay. Rows don't keep b; its mean is that of the
  validation documents, read as far as the rows go, or to a first such token.
  """
  count, tokens = _counts(batches, dataset.specials)
  documents = dataset.corpus.documents("validation")
  sizes = _unknown_sizes((d.text for d in documents), dataset, tokens)
  return count * (1 + float(np.mean(sizes))) * math.log2(257)


def _unknown_sizes(
  texts: Iterator[str], dataset: Any, tokens: int
) -> np.ndarray:
  """Returns the bytes of each unknown token of so many tokens of texts."""
  sizes, seen = np.zeros(0, np.int64), 0
  while group := list(itertools.islice(texts, _GROUP)):
    flat, _ = dataset.tokenizer.encoder.encode_flat(group)
    is_unknown = flat.ids == dataset.specials.unknown
    sizes = np.append(sizes, flat.bytes[is_unknown])
    seen += flat.ids.size
    if seen >= tokens and sizes.size:
      break
  return sizes


def _pieces(rows: Rows) -> int:
  """Counts the pieces of documents in rows."""
  return sum(len(np.unique(s_L[s_L > 0])) for s_L in rows.segment_BxL)
