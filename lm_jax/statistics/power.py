"""Seeds that would show a difference, or exclude it, before they are spent.

A paired difference over N seeds has the variance s^2 / N + v, with s^2 of one
seed's difference and v of the items, which more seeds do not change. The test
(`differences.difference`) knows s^2 by N - 1 degrees of freedom only, so that
its half-length is random: power is the mean over the chi-square distribution of
that estimate. Without items this is the power of the paired t test, by the
noncentral t distribution.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Literal

import numpy as np

from lm_jax.statistics.differences import MIN_SEEDS, Spread
from lm_jax.statistics.estimates import Array, quantile

Goal = Literal["show", "exclude"]

# Points of the chi-square distribution that power is the mean over.
_POINTS = 2000
MOST_SEEDS = 1000


@dataclasses.dataclass(frozen=True)
class PairSpread:
  """The spread of a paired difference, arm minus baseline.

  deviation: standard deviation of one seed's difference.
  items_error: standard error that the items leave, whatever the seeds.
  noise: the part of deviation^2 that is the noise of single items.
  items: how many; 1 where scores have none.
  df: degrees of freedom behind `deviation`; None where it was stated.
  """

  deviation: float
  items_error: float = 0.0
  noise: float = 0.0
  items: int = 1
  df: int | None = None

  @classmethod
  def from_pilot(cls, arm_NxI: Array, baseline_NxI: Array) -> PairSpread:
    """Reads the spread off pilot runs; row n of both is one seed."""
    n, items = arm_NxI.shape
    parts = Spread.from_scores(arm_NxI - baseline_NxI)
    return cls(
      math.sqrt(parts.seeds * n),
      math.sqrt(parts.items),
      parts.noise * n,
      items,
      n - 1,
    )

  def upper(self, level: float = 0.8) -> PairSpread:
    """Returns it with the deviation that the pilot exceeds in 1 - level.

    s sqrt(df / chi^2_{1 - level}), by which few pilot runs are not trusted.
    Source: Browne, Statistics in Medicine 14 (1995).
    """
    if self.df is None:
      return self
    from scipy import special

    least = float(special.chdtri(self.df, level))
    ratio = self.df / least
    return dataclasses.replace(
      self,
      deviation=self.deviation * math.sqrt(ratio),
      noise=self.noise * ratio,
    )


def power(
  seeds: int,
  spread: PairSpread,
  effect: float,
  goal: Goal = "show",
  alpha: float = 0.05,
) -> float:
  """Returns the chance of the claim with so many seeds.

  Args:
    seeds: of both arms, at least 2.
    spread: of their difference.
    effect: the true difference that is to be shown by the two-sided test; or
      the margin within which one of 0 is to be shown, by two one-sided tests.
    goal: "show" or "exclude".
    alpha: of the claim: the nominal level where a look or a correction asks
      for less.
  """
  from scipy import special

  df = seeds - 1
  share_P = (np.arange(_POINTS) + 0.5) / _POINTS
  ratio_P = special.chdtri(df, 1 - share_P) / df
  level = alpha if goal == "show" else 2 * alpha
  square_P = quantile(level, df) ** 2 * spread.deviation**2 / seeds * ratio_P
  if spread.items > 1:
    of_noise = quantile(level, df * (spread.items - 1)) ** 2
    square_P = np.maximum(square_P, of_noise * spread.noise / seeds)
    of_items = quantile(level, spread.items - 1) ** 2
    square_P = square_P + of_items * spread.items_error**2
  half_P = np.sqrt(square_P)
  error = math.sqrt(spread.deviation**2 / seeds + spread.items_error**2)
  if error == 0:
    return 1.0
  if goal == "show":
    above = special.ndtr((abs(effect) - half_P) / error)
    return float(above.mean())
  room = (abs(effect) - half_P) / error
  return float(np.maximum(0.0, 2 * special.ndtr(room) - 1).mean())


def seeds_needed(
  spread: PairSpread,
  effect: float,
  goal: Goal = "show",
  chance: float = 0.8,
  alpha: float = 0.05,
) -> int | None:
  """Returns the fewest seeds with that power; None above MOST_SEEDS.

  Such an effect may be out of reach of any number: the items scatter, too.

  Args:
    spread, effect, goal, alpha: as for `power`.
    chance: the power that is asked for.
  """

  def enough(seeds: int) -> bool:
    return power(seeds, spread, effect, goal, alpha) >= chance

  if not enough(MOST_SEEDS):
    return None
  low, high = MIN_SEEDS - 1, MOST_SEEDS
  while high - low > 1:
    middle = (low + high) // 2
    low, high = (low, middle) if enough(middle) else (middle, high)
  return high
