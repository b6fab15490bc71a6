"""The loss of a model that knows nothing but how frequent each token is."""

from __future__ import annotations

import numpy as np

from lm_jax import specials as specials_lib
from lm_jax.data.row_source import RowSource
from lm_jax.types import PADDING, Rows

# Of the training rows, so many tell the frequencies.
ROWS, BATCH = 1024, 32


def cross_entropy(dataset: RowSource, held_out: list[Rows]) -> float:
  """Computes -sum_v q(v) log p(v) over text tokens, in nats a token.

  p are the frequencies in training rows with one added to each count (Laplace),
  q those in the held-out rows. A model below has learnt something of context.
  """
  log_p_V = log_frequencies(dataset)
  held_V = sum(_counts(dataset, rows) for rows in held_out)
  return float(-np.sum(held_V * log_p_V) / max(1.0, np.sum(held_V)))


def log_frequencies(dataset: RowSource) -> np.ndarray:
  """Computes the log of each token's frequency in training rows: float64 [V].

  One is added to each count (Laplace).
  """
  counts_V = np.ones(dataset.vocabulary_size)
  batch = min(BATCH, dataset.rows("train"))
  for number in range(min(ROWS, dataset.rows("train")) // batch):
    counts_V += _counts(dataset, dataset.batch(0, number, batch))
  return np.log(counts_V / counts_V.sum())


def _counts(dataset: RowSource, rows: Rows) -> np.ndarray:
  text_BxL = np.asarray(specials_lib.is_text(rows.tokens_BxL, dataset.specials))
  text_BxL &= np.asarray(rows.part_BxL) != PADDING
  tokens = np.asarray(rows.tokens_BxL)[text_BxL]
  return np.bincount(tokens, minlength=dataset.vocabulary_size)
