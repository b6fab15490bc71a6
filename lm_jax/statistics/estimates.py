"""Estimates with intervals, and the limits that several modules share."""

from __future__ import annotations

import dataclasses
import math

import numpy as np

Array = np.ndarray


@dataclasses.dataclass(frozen=True)
class Estimate:
  """A value, its interval, and the p value of "it is 0" where one was asked.

  low, high, p: None where they can't be had (few seeds, or no spread at all).
  n: how many units (seeds, or items) the spread was taken over.
  """

  value: float
  low: float | None = None
  high: float | None = None
  p: float | None = None
  n: int = 0


def quantile(alpha: float, df: float) -> float:
  """The two-sided t quantile: |t_df| lies above it with chance alpha."""
  from scipy import special

  return -float(special.stdtrit(df, alpha / 2))


def t_estimate(
  value: float, error: float, df: float, n: int, level: float
) -> Estimate:
  """value -+ t_df * error, and the p value of the t statistic value / error.

  Source: Student, Biometrika 6 (1908).
  """
  from scipy import special

  if df <= 0:
    return Estimate(value, n=n)
  # Scores that agree to the last bit carry no information on their spread.
  if error <= 1e-12 * max(1.0, abs(value)):
    return Estimate(value, p=1.0 if abs(value) < 1e-12 else None, n=n)
  half = quantile(1 - level, df) * error
  p = 2 * float(special.stdtr(df, -abs(value) / error))
  return Estimate(value, value - half, value + half, p, n)


def wilson(successes: float, n: int, level: float = 0.95) -> Estimate:
  """Score interval of a proportion p = successes / n.

  (p + z^2 / 2n -+ z sqrt(p (1 - p) / n + z^2 / 4n^2)) / (1 + z^2 / n).
  Source: Wilson, Journal of the American Statistical Association 22 (1927).
  """
  from scipy import stats

  z = float(stats.norm.ppf((1 + level) / 2))
  p = successes / n
  centre = (p + z * z / (2 * n)) / (1 + z * z / n)
  half = math.sqrt(p * (1 - p) / n + (z / (2 * n)) ** 2)
  half *= z / (1 + z * z / n)
  # At p = 0 and 1 the limit is p itself, which rounding may pass.
  low, high = min(p, centre - half), max(p, centre + half)
  return Estimate(p, max(0.0, low), min(1.0, high), n=n)


def widened(
  low: float, high: float, share: float, n: int, level: float
) -> tuple[float, float]:
  """The ends of an interval of a share of n items; near 0 and 1 Wilson's too.

  A spread estimated from fewer than ten items that are right, or wrong, says
  little (it is 0 where all are right): no end lies within Wilson's then.
  Source: Brown, Cai and DasGupta, Statistical Science 16 (2001), on intervals
  of a proportion near 0 and 1.
  """
  if n * min(share, 1 - share) >= 10:
    return low, high
  ends = wilson(share * n, n, level)
  return min(low, ends.low or 0.0), max(high, ends.high or 0.0)
