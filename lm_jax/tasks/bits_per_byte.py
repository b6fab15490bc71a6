"""Bits per byte of held-out text, where a model has an exact likelihood."""

from __future__ import annotations

import math

import numpy as np

from lm_jax.tasks import base

ROWS = 256
BATCH = 16


class BitsPerByte(base.Task):
  """-log2 p(text) per UTF-8 byte of the validation rows.

  Each document's piece is scored given the boundary token. A model without
  an exact likelihood has none.
  """

  scoring = "log_likelihood"

  def measure(self, scorer, dataset, quick=False) -> base.Measure:
    if scorer.scoring != self.scoring:
      return base.Measure()
    batches = dataset.fixed("validation", BATCH, limit_rows=ROWS)
    counts = dataset.bytes("validation")[:ROWS]
    return base.Measure({"bits_per_byte": bits(scorer, batches, counts)})


def bits(scorer, batches, byte_counts) -> float:
  """-log2 p(rows) / bytes.

  Args:
    scorer: the model.
    batches: rows.
    byte_counts: bytes of the text behind each row of the batches.
  """
  nats = 0.0
  for rows in batches:
    nats -= float(scorer.token_scores(rows).astype(np.float64).sum())
  return nats / math.log(2) / float(np.sum(byte_counts))
