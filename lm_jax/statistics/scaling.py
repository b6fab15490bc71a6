"""Power laws of a loss in what was spent, and where two of them cross.

L(C) = E + A C^-alpha: Kaplan et al. 2020 (equation 1.1, without E) and Hoffmann
et al. 2022 (equation 2). Shape suffixes: B budgets, N seeds, D draws.

Intervals are over seeds: the mean loss at each budget is drawn from the t
distribution that its seeds leave (`draws`), each draw is fitted, and the ends
are percentiles of the fits. That is a bootstrap with normal weights, stretched
by the chi-square distribution of the spread, so that a few seeds hold what they
say.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

from lm_jax.statistics.estimates import Array, Estimate
from lm_jax.statistics.items import SEED

DRAWS = 1000
# Fewer budgets than parameters and one more leave nothing to tell E by.
MIN_BUDGETS_WITH_E = 4
# Exponents that are searched before the best one is refined.
_ALPHA_G = np.geomspace(5e-3, 4.0, 48)
_REFINEMENTS = 26
# Points of a range between which a crossing is linear in log C.
_POINTS = 200


@dataclasses.dataclass(frozen=True)
class PowerLaw:
  """L(C) = irreducible + scale (C / unit)^-exponent, with intervals.

  irreducible: E; 0 where it was not fitted.
  unit: the geometric mean of the budgets, so that `scale` is a loss.
  residual: root mean square of what the fit leaves of the mean losses.
  """

  irreducible: Estimate
  scale: Estimate
  exponent: Estimate
  unit: float
  residual: float

  def at(self, budget: float) -> float:
    """Returns the fitted loss at a budget."""
    power = (budget / self.unit) ** -self.exponent.value
    return self.irreducible.value + self.scale.value * power


def draws(
  losses: Sequence[Array], count: int = DRAWS, seed: int = SEED
) -> Array:
  """Draws mean losses, [D, B], from what the seeds say of them.

  mean + sqrt(N / (N - 1)) sum_n w_n (x_n - mean) / N / sqrt(q), w_n standard
  normal and q = chi^2_{N-1} / (N - 1): marginally Student's t. Budgets with
  the same number of seeds share w and q, as those of one run's curve do.
  Source: Efron and Tibshirani 1993, section 6.5, for the parametric bootstrap;
  Weerahandi, JASA 88 (1993), for the chi-square (generalized intervals).

  Args:
    losses: [N] of each budget. One seed counts as if it did not scatter.
    count: how many draws.
    seed: of the draws: the same for two arms pairs their seeds.
  """
  columns = []
  for x_N in losses:
    n = len(x_N)
    rng = np.random.default_rng([seed, n])
    weights_DxN = rng.normal(size=(count, n))
    ratio_D = rng.chisquare(max(1, n - 1), count) / max(1, n - 1)
    rest_N = np.asarray(x_N, float) - np.mean(x_N)
    moved_D = weights_DxN @ rest_N / n / np.sqrt(ratio_D)
    if n > 1:
      moved_D *= math.sqrt(n / (n - 1))
    columns.append(np.mean(x_N) + moved_D)
  return np.stack(columns, 1)


def _solve(
  power_GxDxB: Array, loss_DxB: Array, with_e: bool
) -> tuple[Array, Array, Array]:
  """Returns E, A >= 0 and the squares left, [G, D], by linear least squares."""
  mean_GxD = power_GxDxB.mean(-1)
  centred = power_GxDxB - mean_GxD[..., None] if with_e else power_GxDxB
  level_D = loss_DxB.mean(-1)
  own = loss_DxB - level_D[:, None] if with_e else loss_DxB
  square = np.maximum((centred**2).sum(-1), 1e-300)
  scale = np.maximum((centred * own).sum(-1) / square, 0.0)
  low = np.zeros_like(scale)
  if with_e:
    low = level_D - scale * mean_GxD
    # A loss is never below 0: where E would be, the fit is that without it.
    plain = (power_GxDxB * loss_DxB).sum(-1) / (power_GxDxB**2).sum(-1)
    scale, low = np.where(low < 0, plain, scale), np.maximum(low, 0.0)
  left = loss_DxB - low[..., None] - scale[..., None] * power_GxDxB
  return low, scale, (left**2).sum(-1)


def _fit(
  relative_B: Array, loss_DxB: Array, with_e: bool
) -> tuple[Array, Array, Array]:
  """Returns E, A and alpha of the least squares fits of D rows, [D] each.

  For a given alpha E and A are linear least squares; alpha is searched on a
  grid, which no local minimum misleads, then by golden sections.
  Source: Golub and Pereyra, SIAM J. Numer. Anal. 10 (1973).
  """
  log_B = np.log(relative_B)

  def left(alpha: Array) -> Array:
    return _solve(np.exp(-alpha[..., None] * log_B), loss_DxB, with_e)[2]

  grid_GxD = np.broadcast_to(_ALPHA_G[:, None], (len(_ALPHA_G), len(loss_DxB)))
  best_D = left(grid_GxD).argmin(0)
  low_D = _ALPHA_G[np.maximum(best_D - 1, 0)]
  high_D = _ALPHA_G[np.minimum(best_D + 1, len(_ALPHA_G) - 1)]
  golden = (math.sqrt(5) - 1) / 2
  for _ in range(_REFINEMENTS):
    span_D = golden * (high_D - low_D)
    a_D, b_D = high_D - span_D, low_D + span_D
    lower = left(a_D[None])[0] < left(b_D[None])[0]
    low_D, high_D = np.where(lower, low_D, a_D), np.where(lower, b_D, high_D)
  alpha_D = (low_D + high_D) / 2
  power = np.exp(-alpha_D[None, :, None] * log_B)
  low, scale, _ = _solve(power, loss_DxB, with_e)
  return low[0], scale[0], alpha_D


def fit(
  budgets: Sequence[float],
  losses: Sequence[Array],
  with_e: bool = True,
  level: float = 0.95,
  count: int = DRAWS,
) -> PowerLaw:
  """Fits a power law to mean losses, with intervals over seeds.

  Args:
    budgets: at least 2, and MIN_BUDGETS_WITH_E where E is fitted.
    losses: [N] of each budget: positive, and better where smaller (of a share
      that is right, the share that is wrong).
    with_e: whether an irreducible loss is fitted.
    level: of the intervals; none where no budget has two seeds.
    count: of draws behind them.

  Raises:
    ValueError: there are too few budgets.
  """
  least = MIN_BUDGETS_WITH_E if with_e else 2
  if len(budgets) < least:
    raise ValueError(f"{len(budgets)} budgets, and a fit needs {least}")
  budget_B = np.asarray(budgets, float)
  unit = float(np.exp(np.log(budget_B).mean()))
  mean_B = np.array([float(np.mean(x)) for x in losses])
  parts = _fit(budget_B / unit, mean_B[None], with_e)
  spread = max(map(len, losses)) > 1
  if spread:
    drawn = _fit(budget_B / unit, draws(losses, count), with_e)
  n, estimates = min(map(len, losses)), []
  for index, part in enumerate(parts):
    value = float(part[0])
    if not spread or (index == 0 and not with_e):
      estimates.append(Estimate(value, n=n))
      continue
    tail = (1 - level) / 2
    low, high = np.quantile(drawn[index], [tail, 1 - tail])
    estimates.append(
      Estimate(value, min(value, float(low)), max(value, float(high)), n=n)
    )
  low_end, scale, exponent = estimates
  law = PowerLaw(low_end, scale, exponent, unit, 0.0)
  left_B = mean_B - [law.at(budget) for budget in budgets]
  return dataclasses.replace(law, residual=float(np.sqrt((left_B**2).mean())))


@dataclasses.dataclass(frozen=True)
class Crossing:
  """The budget from which another arm has the smaller fitted loss.

  value: None where the fits do not cross within the range of the budgets.
  low, high: of the interval; None where it goes on beyond the range.
  before: the arm that is ahead below the crossing; where there is none, the
    one that is ahead all over the range: 0 for the first, 1 for the second.
  crossing: share of the draws that cross within the range.
  """

  value: float | None
  low: float | None
  high: float | None
  before: int
  crossing: float


def crossing(
  budgets: Sequence[float],
  first: Sequence[Array],
  second: Sequence[Array],
  with_e: bool = True,
  level: float = 0.95,
  count: int = DRAWS,
) -> Crossing:
  """Estimates where the fitted curves of two arms cross.

  "Not within the range" is an answer: nothing is extrapolated. Draws without a
  crossing count as one beyond either end, by the arm that is ahead in them.

  Args:
    budgets: of both arms.
    first, second: their losses [N] at each budget; seeds of one number are
      paired.
    with_e, level, count: as for `fit`.
  """
  budget_B = np.asarray(budgets, float)
  unit = float(np.exp(np.log(budget_B).mean()))
  log_P = np.linspace(np.log(budget_B.min()), np.log(budget_B.max()), _POINTS)
  relative_P = np.exp(log_P) / unit

  def gap(first_DxB: Array, second_DxB: Array) -> Array:
    curves = []
    for loss_DxB in (first_DxB, second_DxB):
      low, scale, alpha = _fit(budget_B / unit, loss_DxB, with_e)
      power = relative_P ** -alpha[:, None]
      curves.append(low[:, None] + scale[:, None] * power)
    return curves[0] - curves[1]

  means = [np.array([[np.mean(x) for x in side]]) for side in (first, second)]
  middle_P = gap(*means)[0]
  before = int(middle_P[0] > 0)
  value = _first_change(log_P, middle_P)
  # Pairs of seeds share their weights.
  drawn_DxP = gap(draws(first, count), draws(second, count))
  places = np.array([_place(log_P, row, before) for row in drawn_DxP])
  inside = np.isfinite(places)
  tail = (1 - level) / 2
  low, high = np.quantile(places, [tail, 1 - tail], method="nearest")
  return Crossing(
    None if value is None else math.exp(value),
    math.exp(low) if math.isfinite(low) else None,
    math.exp(high) if math.isfinite(high) else None,
    before,
    float(inside.mean()),
  )


def _first_change(log_P: Array, gap_P: Array) -> float | None:
  """Returns the first place where the sign of a gap changes, if it does."""
  (changes,) = np.nonzero(np.sign(gap_P[1:]) != np.sign(gap_P[0]))
  if not len(changes):
    return None
  right = int(changes[0]) + 1
  left = right - 1
  share = gap_P[left] / (gap_P[left] - gap_P[right])
  return float(log_P[left] + share * (log_P[right] - log_P[left]))


def _place(log_P: Array, gap_P: Array, before: int) -> float:
  """Returns where a draw crosses; -inf or inf below or above the range."""
  ahead = int(gap_P[0] > 0)
  if ahead != before:
    return -math.inf
  place = _first_change(log_P, gap_P)
  return math.inf if place is None else place
