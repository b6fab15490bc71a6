"""Statistics over the items of one set of checkpoints, and Holm's correction.

An item's score is 0, 0.5 (a tie) or 1, or a mean of such over seeds. Results
hold for these checkpoints only: another seed may differ.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from lm_jax.statistics.estimates import (
  Array,
  Estimate,
  t_estimate,
  widened,
  wilson,
)

RESAMPLES = 10_000
SEED = 20240229  # fixed, so that a report is a function of its input


def _binary(scores_I: Array) -> bool:
  return bool(np.isin(scores_I, (0.0, 1.0)).all())


def item_interval(scores_I: Array, level: float = 0.95) -> Estimate:
  """An accuracy over items: Wilson where every score is 0 or 1.

  With ties (0.5) or means over seeds: mean -+ t_{I-1} sd / sqrt(I), cut to
  [0, 1] as every accuracy is, and near the ends `widened`.
  """
  n = len(scores_I)
  if _binary(scores_I):
    return wilson(float(scores_I.sum()), n, level)
  error = float(scores_I.std(ddof=1)) / math.sqrt(n) if n > 1 else 0.0
  t = t_estimate(float(scores_I.mean()), error, n - 1, n, level)
  if t.low is None or t.high is None:
    return Estimate(t.value, n=n)
  low, high = max(0.0, t.low), min(1.0, t.high)
  return Estimate(t.value, *widened(low, high, t.value, n, level), n=n)


def mcnemar(arm_I: Array, baseline_I: Array) -> float:
  """Exact McNemar test of two lists of 0/1 scores of the same items.

  Of the d items where they differ, the arm wins w ~ Binomial(d, 1/2):
  p = min(1, 2 P(X <= min(w, d - w))).
  Source: McNemar, Psychometrika 12 (1947), in its exact (sign test) form.
  """
  from scipy import stats

  wins = int((arm_I > baseline_I).sum())
  losses = int((arm_I < baseline_I).sum())
  tail = stats.binom.cdf(min(wins, losses), wins + losses, 0.5)
  return min(1.0, 2 * float(tail))


def sign_flip(difference_I: Array, resamples: int = RESAMPLES) -> float:
  """Permutation test of paired differences: each may as well be negated.

  p = (1 + #{|sum_i +-d_i| >= |sum_i d_i|}) / (1 + resamples), signs at
  random with a fixed seed. Items of one magnitude are drawn at once: their
  signed sum is magnitude * (2 Binomial(count, 1/2) - count).
  Source: Fisher, The Design of Experiments (1935), section 21; the added 1
  is of Phipson and Smyth, SAGMB 9 (2010).
  """
  size_U, count_U = np.unique(
    np.round(np.abs(difference_I), 9), return_counts=True
  )
  rng = np.random.default_rng(SEED)
  sum_B = np.zeros(resamples)
  for size, count in zip(size_U, count_U, strict=True):
    if size > 0:
      sum_B += size * (2.0 * rng.binomial(count, 0.5, resamples) - count)
  # The slack counts as ties what only rounding tells apart.
  beyond = np.abs(sum_B) >= abs(float(difference_I.sum())) - 1e-6
  return (1 + int(beyond.sum())) / (1 + resamples)


def item_difference(
  arm_I: Array, baseline_I: Array, level: float = 0.95
) -> Estimate:
  """Arm minus baseline over items; holds for these checkpoints only.

  Interval: t of the paired differences, mean -+ t_{I-1} sd / sqrt(I).
  p: the larger of its p and that of `mcnemar`, where all scores are 0 or 1,
  or `sign_flip`; where only these hold 0 for possible, the interval reaches to
  0. So p < 1 - level and an interval without 0 are the same statement.
  """
  difference_I = arm_I - baseline_I
  n = len(difference_I)
  error = float(difference_I.std(ddof=1)) / math.sqrt(n) if n > 1 else 0.0
  t = t_estimate(float(difference_I.mean()), error, n - 1, n, level)
  if _binary(arm_I) and _binary(baseline_I):
    p = mcnemar(arm_I, baseline_I)
  else:
    p = sign_flip(difference_I)
  low, high = t.low, t.high
  if low is not None and high is not None:
    p = max(p, t.p or 0.0)
    if p >= 1 - level:
      low, high = min(low, 0.0), max(high, 0.0)
  return Estimate(t.value, low, high, p, n)


def holm(p: Sequence[float | None]) -> list[float | None]:
  """Holm's step-down correction of a family of p values.

  With p_(1) <= ... <= p_(m): corrected p_(i) =
  max_{j <= i} min(1, (m - j + 1) p_(j)). It bounds the chance of any false
  claim in the family, whatever the dependence. None (no test could be made)
  stays None and does not count.
  Source: Holm, Scandinavian Journal of Statistics 6 (1979).
  """
  known = sorted((value, i) for i, value in enumerate(p) if value is not None)
  corrected: list[float | None] = [None] * len(p)
  highest = 0.0
  for rank, (value, i) in enumerate(known):
    highest = max(highest, min(1.0, (len(known) - rank) * value))
    corrected[i] = highest
  return corrected


def holm_alphas(
  p: Sequence[float | None], alpha: float = 0.05
) -> list[float | None]:
  """The level at which Holm's correction decides on each of the p values.

  alpha / (m - i + 1) for the i-th smallest while each is below its own; the
  rest are held to the first level that one of them missed. A p value lies
  below its level exactly where the corrected one lies below alpha. None stays
  None.
  Source: Holm, Scandinavian Journal of Statistics 6 (1979).
  """
  known = sorted((value, i) for i, value in enumerate(p) if value is not None)
  levels: list[float | None] = [None] * len(p)
  rejected, going = 0, True
  for value, i in known:
    level = alpha / (len(known) - rejected)
    levels[i] = level
    going = going and value < level
    rejected += going
  return levels
