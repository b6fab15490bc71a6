"""Intervals and tests: pure functions of arrays of scores.

Shape suffixes: A arms, N seeds, I items. A score that is missing (a run that
failed) is NaN. Levels are two-sided; every p value is two-sided and not yet
corrected: `holm` corrects a family.
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np

Array = np.ndarray
RESAMPLES = 10_000
SEED = 20240229  # fixed, so that a report is a function of its input


@dataclasses.dataclass(frozen=True)
class Estimate:
  """A value, its interval, and the p value of "it is 0" where one was asked.

  low, high, p: None where they can't be had (one seed, or no spread at all).
  n: how many units (seeds, or items) the spread was taken over.
  """

  value: float
  low: float | None = None
  high: float | None = None
  p: float | None = None
  n: int = 0


def t_estimate(
  value: float, error: float, df: float, n: int, level: float
) -> Estimate:
  """value -+ t_df * error, and the p value of the t statistic value / error.

  Source: Student, Biometrika 6 (1908).
  """
  from scipy import stats

  if df <= 0:
    return Estimate(value, n=n)
  # Scores that agree to the last bit carry no information on their spread.
  if error <= 1e-12 * max(1.0, abs(value)):
    return Estimate(value, p=1.0 if abs(value) < 1e-12 else None, n=n)
  half = float(stats.t.ppf((1 + level) / 2, df)) * error
  p = float(2 * stats.t.sf(abs(value) / error, df))
  return Estimate(value, value - half, value + half, p, n)


def pooled_variance(scores_AxN: Array) -> tuple[float, int]:
  """Within-arm variance of the one-way analysis of variance, and its df.

  s^2 = sum_a sum_n (y_an - mean_a)^2 / df with df = sum_a (n_a - 1), which
  supposes that seeds scatter alike in every arm. Arms of one seed add
  nothing. (0, 0) if no arm has two seeds.
  Source: Fisher, Statistical Methods for Research Workers, chapter VII.
  """
  squares, df = 0.0, 0
  for row_N in scores_AxN:
    row_N = row_N[np.isfinite(row_N)]
    if len(row_N) > 1:
      squares += float(((row_N - row_N.mean()) ** 2).sum())
      df += len(row_N) - 1
  return (squares / df, df) if df else (0.0, 0)


def residual_variance(scores_AxN: Array) -> tuple[float, int]:
  """Residual variance of the two-way model arm + seed, and its df.

  y_an = arm_a + seed_n + e_an by least squares over the scores present;
  s^2 = |residual|^2 / df, df = scores - rank of the design, which is
  (A - 1)(N - 1) when none is missing. What a seed does to every arm alike
  (the same data order) is thus taken out.
  Source: Montgomery, Design and Analysis of Experiments, randomized complete
  block design.
  """
  arm, seed = np.nonzero(np.isfinite(scores_AxN))
  if not len(arm):
    return 0.0, 0
  y = scores_AxN[arm, seed]
  arms, seeds = scores_AxN.shape
  design = np.concatenate([np.eye(arms)[arm], np.eye(seeds)[seed]], axis=1)
  solution, _, rank, _ = np.linalg.lstsq(design, y)
  df = len(y) - int(rank)
  squares = float(((y - design @ solution) ** 2).sum())
  return (squares / df, df) if df else (0.0, 0)


def mean_interval(scores_AxN: Array, arm: int, level: float = 0.95) -> Estimate:
  """An arm's mean over its seeds, with a pooled t interval.

  mean_a -+ t_df * s / sqrt(n_a), s and df of `pooled_variance`. The p value
  is left out: "the mean is 0" is nobody's question.
  """
  row_N = scores_AxN[arm][np.isfinite(scores_AxN[arm])]
  variance, df = pooled_variance(scores_AxN)
  estimate = t_estimate(
    float(row_N.mean()),
    math.sqrt(variance / len(row_N)),
    df,
    len(row_N),
    level,
  )
  return dataclasses.replace(estimate, p=None)


def seed_difference(
  scores_AxN: Array, arm: int, baseline: int, level: float = 0.95
) -> Estimate:
  """Arm minus baseline over seeds, with a t interval and test.

  Over the m seeds that both have: mean of y_an - y_bn, standard error
  sqrt(2 s^2 / m), s^2 and df of `residual_variance`. Without a seed in
  common: difference of the means, standard error
  s sqrt(1 / n_a + 1 / n_b), s^2 and df of `pooled_variance`.
  """
  a_N, b_N = scores_AxN[arm], scores_AxN[baseline]
  both = np.isfinite(a_N) & np.isfinite(b_N)
  if both.any():
    m = int(both.sum())
    variance, df = residual_variance(scores_AxN)
    value = float((a_N[both] - b_N[both]).mean())
    return t_estimate(value, math.sqrt(2 * variance / m), df, m, level)
  a_N, b_N = a_N[np.isfinite(a_N)], b_N[np.isfinite(b_N)]
  variance, df = pooled_variance(scores_AxN)
  error = math.sqrt(variance * (1 / len(a_N) + 1 / len(b_N)))
  value = float(a_N.mean() - b_N.mean())
  return t_estimate(value, error, df, min(len(a_N), len(b_N)), level)


def _item_variance(grids: list[Array]) -> float:
  """Variance of a mean (or difference of means) over I items, items' share.

  For grids [N, I] of one or two arms: v = var_i of the item means (or of
  their differences) holds the noise of the single score too, which seeds
  share already: max(0, v - sum_arms MS_E / N) / I, with MS_E the interaction
  mean square of the seed x item table (v itself where N = 1).
  """
  items = grids[0].shape[1]
  if items < 2:
    return 0.0
  mean_I, noise = grids[0].mean(0), 0.0
  if len(grids) > 1:
    mean_I = mean_I - grids[1].mean(0)
  for grid_NxI in grids:
    n = len(grid_NxI)
    if n > 1:
      rest_NxI = grid_NxI - grid_NxI.mean(0) - grid_NxI.mean(1)[:, None]
      squares = float(((rest_NxI + grid_NxI.mean()) ** 2).sum())
      noise += squares / ((n - 1) * (items - 1)) / n
  return max(0.0, float(mean_I.var(ddof=1)) - noise) / items


def _combined(
  value: float, parts: list[tuple[float, int]], n: int, level: float
) -> Estimate:
  """Interval of a sum of independent parts, of (variance, df) each.

  half-width^2 = sum_k t_{df_k}^2 variance_k, which is never narrower than any
  part's own interval; p is where the interval touches 0.
  Source: Howe, JASA 69 (1974); Zou and Donner, Statistics in Medicine 27
  (2008) (MOVER).
  """
  from scipy import optimize, stats

  def half(p: float) -> float:
    squares = (float(stats.t.isf(p / 2, df)) ** 2 * v for v, df in parts if v)
    return math.sqrt(sum(squares))

  smallest, width = 1e-12, half(1 - level)
  if width <= 1e-12 * max(1.0, abs(value)):
    return Estimate(value, p=1.0 if abs(value) < 1e-12 else None, n=n)
  p = smallest
  if half(smallest) > abs(value):
    p = 10 ** optimize.brentq(
      lambda x: half(10**x) - abs(value), math.log10(smallest), 0.0
    )
  return Estimate(value, value - width, value + width, float(p), n)


def crossed_interval(
  scores_NxI: Array, variance: float, df: int, level: float = 0.95
) -> Estimate:
  """An arm's mean over seeds and items, for other seeds and other items.

  Combines (`_combined`) variance / N, of `pooled_variance` with its df, and
  the items' own variance (`_item_variance`) with I - 1.
  """
  seeds, items = scores_NxI.shape
  parts = [(variance / seeds, df), (_item_variance([scores_NxI]), items - 1)]
  estimate = _combined(float(scores_NxI.mean(1).mean()), parts, seeds, level)
  return dataclasses.replace(estimate, p=None)


def _resampled(rng: np.random.Generator, draws: int, effect: Array) -> Array:
  """Means [draws] of resamples of an effect [n], with replacement."""
  n = len(effect)
  chunk = max(1, 4_000_000 // n)  # bounds the memory
  sizes = [min(chunk, draws - i) for i in range(0, draws, chunk)]
  return np.concatenate(
    [effect[rng.integers(n, size=(size, n))].mean(1) for size in sizes]
  )


def bootstrap(
  scores_NxI: Array,
  baseline_NxI: Array | None = None,
  paired: bool = True,
  level: float = 0.95,
  resamples: int = RESAMPLES,
) -> Estimate:
  """Mean, or difference to a baseline, by resampling seeds and items.

  Seeds and items are crossed: y_ni = mean + seed_n + item_i + e_ni. Each
  resample draws N seed effects and I item effects with replacement; the
  interval is that of the percentiles of their sums. For a difference the
  items are the same for both arms, and so are the seeds if `paired` (row n of
  both is one seed). Two corrections make it cover what it says with few
  seeds: item effects are shrunken to the variance that is theirs
  (`_item_variance`; resampling both ways as they are counts the noise e two
  to three times), and seed effects are widened by
  sqrt(N / (N - 1)) t_{N-1} / z, since the plain percentiles of N = 5 seeds
  cover about 84%. p: where the normal-theory counterpart (`_combined`)
  touches 0, since the tails of 10,000 resamples can't resolve what Holm asks.
  Source: Davison and Hinkley, Bootstrap Methods (1997), section 3.8; Owen,
  Annals of Applied Statistics 1 (2007); Hesterberg, The American Statistician
  69 (2015), on the expanded percentile interval.
  """
  from scipy import stats

  if baseline_NxI is not None and paired:
    scores_NxI, baseline_NxI = scores_NxI - baseline_NxI, None
  grids = [scores_NxI] + ([] if baseline_NxI is None else [baseline_NxI])
  item_I = scores_NxI.mean(0)
  if baseline_NxI is not None:
    item_I = item_I - baseline_NxI.mean(0)
  value, n, items = float(item_I.mean()), min(map(len, grids)), len(item_I)
  if n < 2:
    return Estimate(value, n=n)
  share = _item_variance(grids)
  parts = [(float(g.mean(1).var(ddof=1)) / len(g), len(g) - 1) for g in grids]
  estimate = _combined(value, [*parts, (share, items - 1)], n, level)
  if estimate.low is None:
    return estimate
  rng = np.random.default_rng(SEED)
  mean_B = np.full(resamples, value)
  if share:
    spread = math.sqrt(share * items / float(item_I.var(ddof=1)))
    mean_B += _resampled(rng, resamples, spread * (item_I - value))
  z = float(stats.norm.ppf((1 + level) / 2))
  for sign, grid_NxI in zip((1, -1), grids, strict=False):
    m = len(grid_NxI)
    widen = math.sqrt(m / (m - 1)) * float(stats.t.ppf((1 + level) / 2, m - 1))
    seed_N = grid_NxI.mean(1) - grid_NxI.mean()
    mean_B += sign * _resampled(rng, resamples, widen / z * seed_N)
  tail = (1 - level) / 2
  low, high = (float(q) for q in np.quantile(mean_B, [tail, 1 - tail]))
  return dataclasses.replace(estimate, low=low, high=high)
