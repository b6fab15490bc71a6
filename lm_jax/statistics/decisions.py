"""Decisions at a small scale, and how often they hold at a larger one.

Shape suffix: N seeds.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence

import numpy as np

from lm_jax.statistics.estimates import Array, Estimate
from lm_jax.statistics.items import SEED

RESAMPLES = 2000


def accuracy(
  small: Mapping[str, Array],
  large: Mapping[str, Array],
  level: float = 0.95,
  resamples: int = RESAMPLES,
) -> Estimate:
  """Estimates the share of pairs of arms that rank alike at both scales.

  The mean over pairs of [sign(m_a - m_b) at the small scale = that at the large
  one], by means over seeds; a tie at either counts half. The interval is the
  percentile bootstrap over the seeds of each arm and scale; it says how far
  other seeds would change the figure, for these arms.
  Source: Magnusson et al. 2025, "DataDecide", section 3 (decision accuracy);
  Efron and Tibshirani 1993, chapter 13, for the interval.

  Args:
    small: scores [N] of each arm; only arms of both count.
    large: the same at the larger scale.
  """
  arms = [arm for arm in small if arm in large]
  pairs = list(itertools.combinations(range(len(arms)), 2))
  if not pairs:
    return Estimate(math.nan)
  scales = [[np.asarray(x[arm], float) for arm in arms] for x in (small, large)]
  means = [np.array([[x.mean()] for x in scale]) for scale in scales]
  value = float(_agreement(means[0], means[1], pairs)[0])
  n = min(len(x) for scale in scales for x in scale)
  if n < 2:
    return Estimate(value, n=n)
  rng = np.random.default_rng(SEED)
  drawn = [
    np.array([_drawn_means(rng, x, resamples) for x in scale])
    for scale in scales
  ]
  tail = (1 - level) / 2
  low, high = np.quantile(
    _agreement(drawn[0], drawn[1], pairs), [tail, 1 - tail]
  )
  return Estimate(value, min(value, float(low)), max(value, float(high)), n=n)


def _drawn_means(
  rng: np.random.Generator, scores_N: Array, resamples: int
) -> Array:
  n = len(scores_N)
  return scores_N[rng.integers(n, size=(resamples, n))].mean(1)


def _agreement(
  small_AxB: Array, large_AxB: Array, pairs: Sequence[tuple[int, int]]
) -> Array:
  """Returns the share of pairs in one order at both scales, [B]."""
  left, right = (list(side) for side in zip(*pairs, strict=True))
  product = np.sign(small_AxB[left] - small_AxB[right]) * np.sign(
    large_AxB[left] - large_AxB[right]
  )
  return ((1 + product) / 2).mean(0)


def signal_to_noise(
  means: Sequence[float], variances: Sequence[float]
) -> float | None:
  """Returns the range of the arms' means by the root of the mean variance.

  None of fewer than two arms, or without any spread.
  Source: Heineman et al. 2025, "Signal and noise", section 3: max_{j,k} |m_j -
  m_k| by the spread of a single score.

  Args:
    means: of the arms.
    variances: of single scores about them: over seeds, or over checkpoints.
  """
  noise = math.sqrt(float(np.mean(variances))) if len(variances) else 0.0
  if len(means) < 2 or noise <= 1e-12:
    return None
  return (max(means) - min(means)) / noise
