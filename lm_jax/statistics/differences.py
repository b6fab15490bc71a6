"""Intervals and tests over seeds and items: functions of arrays of scores.

Shape suffixes: A arms, N seeds, I items; scores without items have I = 1. A
score that is missing (a run that failed) is NaN. Levels are two-sided; every p
value is two-sided and not yet corrected: `holm` corrects a family.

One method serves tables, tests and figures, so that a p value below 1 - level
and an interval without 0 are the same statement. What it holds was simulated
(tests/statistics/coverage_test.py; docs/statistics.md).
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping

import numpy as np

from lm_jax.statistics.estimates import Array, Estimate, quantile, widened

# Fewer seeds show nothing of how seeds scatter: they are described, and
# nothing is claimed over seeds.
MIN_SEEDS = 3
_SMALLEST_P = 1e-12

# The lower and the upper limit at an alpha.
Limits = Callable[[float], tuple[float, float]]


def _interaction(scores_NxI: Array) -> float:
  """Mean square of what neither the seed nor the item explains.

  MS_E = sum_ni (y_ni - y_n. - y_.i + y_..)^2 / ((N - 1)(I - 1)), the noise of
  a single score. 0 where it can't be had.
  Source: Montgomery, Design and Analysis of Experiments, two-way layout.
  """
  seeds, items = scores_NxI.shape
  if seeds < 2 or items < 2:
    return 0.0
  rest_NxI = scores_NxI - scores_NxI.mean(0) - scores_NxI.mean(1)[:, None]
  squares = float(((rest_NxI + scores_NxI.mean()) ** 2).sum())
  return squares / ((seeds - 1) * (items - 1))


@dataclasses.dataclass(frozen=True)
class Spread:
  """Variances of a mean of scores [N, I], by their causes.

  seeds: s^2 / N with s^2 the variance of the seeds' means, N - 1 degrees of
    freedom. It holds the noise of single scores, too.
  noise: that noise alone, MS_E / (N I), (N - 1)(I - 1) degrees: the seeds of
    few items may agree by chance, and vary at least by this.
  items: max(0, v - MS_E / N) / I with v the variance of the items' means:
    what other items would change, without the noise that seeds share already;
    I - 1 degrees.
  """

  seeds: float
  noise: float
  items: float
  shape: tuple[int, int]

  @classmethod
  def from_scores(cls, scores_NxI: Array) -> Spread:
    n, items = scores_NxI.shape
    noise = _interaction(scores_NxI)
    share = 0.0
    if items > 1:
      v = float(scores_NxI.mean(0).var(ddof=1))
      share = max(0.0, v - noise / n) / items
    seeds = float(scores_NxI.mean(1).var(ddof=1)) / n
    return cls(seeds, noise / (n * items), share, (n, items))

  def over_seeds(self, alpha: float, seeds: float | None = None) -> float:
    """Squared half-length for other seeds, on these items."""
    n, items = self.shape
    square = quantile(alpha, n - 1) ** 2
    square *= self.seeds if seeds is None else seeds
    if self.noise:
      df = (n - 1) * (items - 1)
      square = max(square, quantile(alpha, df) ** 2 * self.noise)
    return square

  def over_items(self, alpha: float) -> float:
    """Squared half-length for other items."""
    if not self.items:
      return 0.0
    return quantile(alpha, self.shape[1] - 1) ** 2 * self.items

  def squared(self, alpha: float) -> float:
    """Squared half-length for other seeds and other items.

    The parts are independent, so their squared half-lengths add up, which is
    never shorter than one of them.
    Source: Howe, JASA 69 (1974).
    """
    return self.over_seeds(alpha) + self.over_items(alpha)


class _Fraction:
  """Limits of an arm's mean share on the scale of logits.

  An interval of a share p reaches farther away from the nearer of 0 and 1, and
  never past it: logit(p) -+ h / (p (1 - p)). h is the half-length on the plain
  scale; where the logits of single seeds scatter more than their shares say
  (a lost seed among good ones), they are what h is made of.
  """

  def __init__(self, scores_NxI: Array):
    items = scores_NxI.shape[1]
    self._spread = Spread.from_scores(scores_NxI)
    # Half an item from the ends, where logits are infinite.
    margin = 0.5 / items if items > 1 else 1e-6
    self._p = min(max(float(scores_NxI.mean()), margin), 1 - margin)
    self._slope = self._p * (1 - self._p)
    self._seeds = self._spread.seeds
    if items > 1:
      p_N = scores_NxI.mean(1).clip(margin, 1 - margin)
      logits_N = np.log(p_N / (1 - p_N))
      of_logits = float(logits_N.var(ddof=1)) / len(p_N) * self._slope**2
      self._seeds = max(self._seeds, of_logits)

  def squared(self, alpha: float) -> float:
    return self._spread.squared(alpha)

  def limits(self, alpha: float) -> tuple[float, float]:
    from scipy import special

    square = self._spread.over_seeds(alpha, self._seeds)
    half = math.sqrt(square + self._spread.over_items(alpha)) / self._slope
    centre = float(special.logit(self._p))
    low, high = special.expit([centre - half, centre + half])
    return float(low), float(high)

  def stretch(self, alpha: float) -> tuple[float, float]:
    """Ratios of the limits' distances from the mean to the plain scale's."""
    half = math.sqrt(self.squared(alpha))
    if not half:
      return 1.0, 1.0
    low, high = self.limits(alpha)
    return (self._p - low) / half, (high - self._p) / half


def mean(
  scores_NxI: Array,
  level: float = 0.95,
  fraction: bool = False,
  least: int = MIN_SEEDS,
) -> Estimate:
  """An arm's mean, for other seeds and (of several) other items.

  By the arm's own spread: seeds that share an effect (the order of the data)
  shift all arms at once, so that other arms say nothing of this mean's error.
  A fraction's limits are found on the scale of logits and stay in [0, 1]; near
  the ends they never lie within Wilson's of one set of items. No interval below
  `least` seeds. The p value is left out: "the mean is 0" is nobody's question.
  Source: the two-way layout of `Spread`, by Howe (JASA 69, 1974); Wilson
  (JASA 22, 1927).
  """
  n, items = scores_NxI.shape
  value = float(scores_NxI.mean())
  if n < max(2, least):
    return Estimate(value, n=n)
  half = math.sqrt(Spread.from_scores(scores_NxI).squared(1 - level))
  of_items = fraction and items > 1
  if half <= 1e-12 * max(1.0, abs(value)) and not of_items:
    return Estimate(value, n=n)
  if not fraction:
    return Estimate(value, value - half, value + half, n=n)
  low, high = _Fraction(scores_NxI).limits(1 - level)
  if of_items:
    low, high = widened(low, high, value, items, level)
  return Estimate(value, min(low, value), max(high, value), n=n)


def two_sided_p(limits: Limits, value: float, bound: float = 0.0) -> float:
  """The alpha at which a limit of `value` touches a bound."""
  from scipy import optimize

  def beyond(exponent: float) -> float:
    low, high = limits(10**exponent)
    return low - bound if value > bound else bound - high

  least = math.log10(_SMALLEST_P)
  if value == bound:
    return 1.0
  if beyond(least) > 0:
    return _SMALLEST_P
  return float(10 ** optimize.brentq(beyond, least, 0.0, xtol=1e-10))


def difference_limits(
  arm_NxI: Array, baseline_NxI: Array, paired: bool, fraction: bool
) -> Limits:
  """Limits of arm minus baseline at any alpha; see `difference`."""
  value = float(arm_NxI.mean() - baseline_NxI.mean())
  both = Spread.from_scores(arm_NxI), Spread.from_scores(baseline_NxI)
  pair = Spread.from_scores(arm_NxI - baseline_NxI) if paired else None
  items = 0.0
  if pair is None and arm_NxI.shape[1] > 1:
    mean_I = arm_NxI.mean(0) - baseline_NxI.mean(0)
    noise = sum(
      _interaction(grid) / len(grid) for grid in (arm_NxI, baseline_NxI)
    )
    items = max(0.0, float(mean_I.var(ddof=1)) - noise) / len(mean_I)

  def squared(alpha: float) -> float:
    if pair is not None:
      return pair.squared(alpha)
    square = sum(spread.over_seeds(alpha) for spread in both)
    if items:
      square += quantile(alpha, arm_NxI.shape[1] - 1) ** 2 * items
    return square

  arm, baseline = _Fraction(arm_NxI), _Fraction(baseline_NxI)

  def limits(alpha: float) -> tuple[float, float]:
    square = squared(alpha)
    if not fraction:
      return value - math.sqrt(square), value + math.sqrt(square)
    size, base_size = arm.squared(alpha), baseline.squared(alpha)
    down, up = arm.stretch(alpha)
    base_down, base_up = baseline.stretch(alpha)
    common = size + base_size - square
    below, above = (
      math.sqrt(max(square, a * a * size + b * b * base_size - a * b * common))
      for a, b in ((down, base_up), (up, base_down))
    )
    return max(-1.0, value - below), min(1.0, value + above)

  return limits


def difference(
  arm_NxI: Array,
  baseline_NxI: Array,
  paired: bool = True,
  level: float = 0.95,
  fraction: bool = False,
) -> Estimate:
  """Arm minus baseline, for other seeds and (of several) other items.

  The variance is that of this pair alone, since nothing says that all arms
  scatter alike: of the differences seed by seed if `paired` (row n of both is
  one seed), else the sum of both arms' own, each with its own degrees of
  freedom. Squared half-lengths over seeds and over items add up
  (`Spread.squared`). A fraction's limits are skewed as those of its arms are
  (`_Fraction`): with A and B the arms' squared half-lengths, S that of the
  difference, and a and b how much longer either arm's limit is on that side,
  the square is a^2 A + b^2 B - a b (A + B - S), and never below S. p is the
  alpha whose limit touches 0. Neither below MIN_SEEDS seeds a side.
  Source: Welch, Biometrika 34 (1947), for the pair's own variances; Howe, JASA
  69 (1974), and Zou and Donner, Statistics in Medicine 27 (2008), for sums and
  differences of limits.
  """
  value = float(arm_NxI.mean() - baseline_NxI.mean())
  n = min(len(arm_NxI), len(baseline_NxI))
  if n < MIN_SEEDS:
    return Estimate(value, n=n)
  limits = difference_limits(arm_NxI, baseline_NxI, paired, fraction)
  low, high = limits(1 - level)
  if high - low <= 1e-12 * max(1.0, abs(value)):
    # Scores that agree to the last bit carry no information on their spread.
    return Estimate(value, p=1.0 if abs(value) < 1e-12 else None, n=n)
  return Estimate(value, low, high, two_sided_p(limits, value), n)


@dataclasses.dataclass(frozen=True)
class Scatter:
  """An arm whose seeds scatter more than those of the others.

  deviation: standard deviation over its seeds, in the metric's own unit.
  ratio: by that of the other arms, pooled.
  """

  arm: str
  deviation: float
  ratio: float


def scattering(scores: Mapping[str, Array]) -> tuple[Scatter, ...]:
  """Arms whose seeds scatter at least twice as much as the others', by F.

  F = s_a^2 / pooled s^2 of the other arms, with n_a - 1 and sum (n - 1)
  degrees of freedom, one-sided at 0.05 by the number of arms.
  Source: Snedecor, Statistical Methods (1937); Bonferroni.

  Args:
    scores: of an arm's seeds, [N].
  """
  from scipy import stats

  known = {arm: row for arm, row in scores.items() if len(row) >= MIN_SEEDS}
  scatters = []
  for arm, row_N in known.items():
    others = [row for other, row in known.items() if other != arm]
    df = sum(len(row) - 1 for row in others)
    if not df:
      continue
    pooled = sum(float(r.var(ddof=1)) * (len(r) - 1) for r in others) / df
    deviation = float(row_N.std(ddof=1))
    if not pooled or deviation**2 < 4 * pooled:
      continue
    p = float(stats.f.sf(deviation**2 / pooled, len(row_N) - 1, df))
    if p < 0.05 / len(known):
      scatters.append(Scatter(arm, deviation, deviation / math.sqrt(pooled)))
  return tuple(scatters)
