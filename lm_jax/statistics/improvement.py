"""Probability of improvement, and interquartile means, with intervals.

Shape suffixes: N runs (seeds), T tasks, or measures that are averaged.
Source: Agarwal, Schwarzer, Castro, Courville and Bellemare, "Deep reinforcement
learning at the edge of the statistical precipice", NeurIPS 2021, sections 4.2
and 4.3 (rliable).
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from lm_jax.statistics.estimates import Array, Estimate
from lm_jax.statistics.items import SEED

RESAMPLES = 4000
# Of fewer runs the resampled means have ends that hold less than they say:
# all of 3 lie on one side of the truth once in four times.
MIN_RUNS = 5


def probability(arm_NxT: Array, baseline_MxT: Array) -> Array:
  """Returns P(a run of the arm scores above one of the baseline).

  The mean over tasks of U / (N M), with U = sum_ij [x_i > y_j] + [x_i = y_j] /
  2 of Mann and Whitney; higher scores are better. Axes before the last two are
  kept.
  Source: Agarwal et al. 2021, section 4.3 and appendix A.5.
  """
  arm_Nx1xT = arm_NxT[..., :, None, :]
  baseline_1xMxT = baseline_MxT[..., None, :, :]
  above = (arm_Nx1xT > baseline_1xMxT) + 0.5 * (arm_Nx1xT == baseline_1xMxT)
  return above.mean((-3, -2, -1))


def interquartile_mean(scores_NxT: Array) -> Array:
  """Returns the mean of the middle half of all runs and tasks.

  Of N T values floor(N T / 4) are left out at either end: of three runs none.
  Axes before the last two are kept.
  Source: Agarwal et al. 2021, section 4.3.
  """
  from scipy import stats

  flat = scores_NxT.reshape(*scores_NxT.shape[:-2], -1)
  return stats.trim_mean(flat, 0.25, axis=-1)


def bootstrap(
  statistic: Callable[..., Array],
  *scores: Array,
  level: float = 0.95,
  resamples: int = RESAMPLES,
  expanded: bool = True,
) -> tuple[float, float]:
  """Returns the ends of a stratified bootstrap interval.

  Each task of each array has its runs drawn anew, apart from the others. The
  percentiles are expanded, since n runs scatter less about their own mean than
  about the truth: Phi(-sqrt(n / (n - 1)) t_{n-1}) in the place of alpha / 2.
  Source: Agarwal et al. 2021, section 4.1; Hesterberg, The American
  Statistician 69 (2015), section 3.3, for the expansion.

  Args:
    statistic: of as many arrays [..., N, T] as there are scores.
    scores: runs and tasks of each arm.
    expanded: whether to expand, which rliable does not.
  """
  from scipy import special

  rng = np.random.default_rng(SEED)
  drawn = [
    np.take_along_axis(
      x[None], rng.integers(len(x), size=(resamples, *x.shape)), axis=1
    )
    for x in scores
  ]
  drawn_B = statistic(*drawn)
  tail = (1 - level) / 2
  if expanded:
    n = min(map(len, scores))
    t = -float(special.stdtrit(n - 1, tail))
    tail = float(special.ndtr(-math.sqrt(n / (n - 1)) * t))
  low, high = np.quantile(drawn_B, [tail, 1 - tail])
  return float(low), float(high)


def _mann_whitney(share: float, n: int, m: int, level: float):
  """Returns the score interval of P(X > Y) from one task.

  The ends p of |share - p| = z sqrt(p (1 - p) (1 + k ((1 - p) / (2 - p) + p /
  (1 + p))) / (n m)), k = (n + m) / 2 - 1; it has a length where no run of one
  arm lies among those of the other, and resampled runs are all alike.
  Source: Newcombe, Statistics in Medicine 25 (2006), part 2, method 5.
  """
  from scipy import optimize, special

  z, k = float(special.ndtri((1 + level) / 2)), (n + m) / 2 - 1

  def beyond(p: float) -> float:
    variance = p * (1 - p) * (1 + k * ((1 - p) / (2 - p) + p / (1 + p)))
    return abs(share - p) - z * math.sqrt(variance / (n * m))

  ends = []
  for end in (0.0, 1.0):
    inside = beyond(end) <= 0 or share == end
    # At the share itself both sides are 0 where it is 0 or 1.
    near = share + (1e-9 if end > share else -1e-9)
    ends.append(end if inside else optimize.brentq(beyond, end, near))
  return float(ends[0]), float(ends[1])


def improvement(
  arm_NxT: Array, baseline_MxT: Array, level: float = 0.95
) -> Estimate:
  """Estimates the probability of improvement, over seeds.

  The bootstrap's interval; of one task never within Newcombe's, since the
  bootstrap says "1, for certain" of arms that merely do not overlap.
  """
  value = float(probability(arm_NxT, baseline_MxT))
  n, m = len(arm_NxT), len(baseline_MxT)
  if min(n, m) < 2:
    return Estimate(value, n=min(n, m))
  low, high = bootstrap(probability, arm_NxT, baseline_MxT, level=level)
  if arm_NxT.shape[1] == 1:
    least, most = _mann_whitney(value, n, m, level)
    low, high = min(low, least), max(high, most)
  return Estimate(value, low, high, n=min(n, m))


def robust_mean(scores_NxT: Array, level: float = 0.95) -> Estimate:
  """Estimates the interquartile mean; no interval below MIN_RUNS runs."""
  value, n = float(interquartile_mean(scores_NxT)), len(scores_NxT)
  if n < MIN_RUNS:
    return Estimate(value, n=n)
  low, high = bootstrap(interquartile_mean, scores_NxT, level=level)
  return Estimate(value, low, high, n=n)
