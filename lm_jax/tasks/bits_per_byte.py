"""Measures bits per byte of held-out text, for exact likelihoods."""

from __future__ import annotations

import math
from collections.abc import Sequence

import jax
import numpy as np

from lm_jax.examples import records
from lm_jax.tasks import base
from lm_jax.types import Rows

ROWS = 256
BATCH = 16


class BitsPerByte(base.Task):
  """Computes -log2 p(text) per UTF-8 byte of the validation rows.

  Each document's piece is scored given the boundary token. A model without
  an exact likelihood has no result.
  """

  scoring = "log_likelihood"

  def measure(self, scorer, dataset, quick=False) -> base.Measure:
    if scorer.scoring != self.scoring:
      return base.Measure()
    batches = dataset.fixed("validation", BATCH, limit_rows=ROWS)
    counts = dataset.bytes("validation")[:ROWS]
    if 0 < self.limit < len(counts):
      places = records.chosen(range(len(counts)), self.limit, self.seed)
      batches = chosen_rows(batches, places)
      counts = np.asarray(counts)[places]
    return base.Measure({"bits_per_byte": bits(scorer, batches, counts)})


def chosen_rows(batches: Sequence[Rows], places: Sequence[int]) -> list[Rows]:
  """Selects rows of batches, in batches of at most BATCH."""
  whole = jax.tree.map(lambda *parts: np.concatenate(parts), *batches)
  return [
    jax.tree.map(lambda x, at=places[i : i + BATCH]: x[at], whole)
    for i in range(0, len(places), BATCH)
  ]


def bits(scorer, batches, byte_counts) -> float:
  """Computes -log2 p(rows) / bytes.

  Args:
    scorer: the model.
    batches: rows.
    byte_counts: bytes of the text of each row of the batches.
  """
  nats = 0.0
  for rows in batches:
    nats -= float(scorer.token_scores(rows).astype(np.float64).sum())
  return nats / math.log(2) / float(np.sum(byte_counts))
