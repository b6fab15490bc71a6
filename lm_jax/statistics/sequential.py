"""Looks at an experiment before its end, with one error rate for all of them.

An alpha-spending function says how much of alpha may be spent when a share of
the seeds is there; the nominal level of a look is what that leaves for it, by
the joint distribution of the looks. Levels are applied to p values, so that
they serve the report's own test as well. The joint distribution is that of t
statistics of growing samples, not its normal limit: with 3 to 12 seeds that
limit errs in up to 5.7 % of null experiments where it says 5 %.
Source: Lan and DeMets, Biometrika 70 (1983), for spending; Jennison and
Turnbull, Group Sequential Methods (2000), section 3.8, for levels applied to p
values of t tests.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence

import numpy as np

from lm_jax.statistics.estimates import Array

# Share of the seeds, and one-sided alpha -> alpha spent so far.
Spending = Callable[[float, float], float]

# Statistics are kept on cells of the normal scale, z = Phi^-1(1 - p).
_EDGE_E = np.linspace(-5.0, 9.0, 197)
_MID_C = (_EDGE_E[1:] + _EDGE_E[:-1]) / 2
_NODES = 48
# Standard errors of a normal sum that its integral reaches.
_REACH = 8.0
_SMALLEST, _LARGEST = 1e-12, 0.5


def obrien_fleming(share: float, alpha: float) -> float:
  """Returns 2 - 2 Phi(z_{alpha/2} / sqrt(t)): little early, most at the end.

  Source: Lan and DeMets, Biometrika 70 (1983), alpha_1*.
  """
  from scipy import special

  z = -float(special.ndtri(alpha / 2))
  return 2 * float(special.ndtr(-z / math.sqrt(share)))


def pocock(share: float, alpha: float) -> float:
  """Returns alpha ln(1 + (e - 1) t): about the same level at each look.

  Source: Lan and DeMets, Biometrika 70 (1983), alpha_2*.
  """
  return alpha * math.log1p((math.e - 1) * share)


@functools.lru_cache(maxsize=4096)
def levels(
  alpha: float, looks: tuple[int, ...], spending: Spending = obrien_fleming
) -> tuple[float, ...]:
  """Returns the one-sided nominal level of each look.

  Level k is the chance beyond c_k, of a t statistic with n_k - 1 degrees of
  freedom, with P(t_j <= c_j before k, t_k > c_k) = spent(n_k / n_K) -
  spent(n_{k-1} / n_K). The statistics are a Markov chain in either direction:
  given the one of n seeds, those of fewer are free of all later seeds. So with
  G_k(t) = P(t_j <= c_j before k | t_k = t), which the recursion carries on, the
  left side is the integral of G_k beyond c_k. For a two-sided test halve alpha
  and double the levels, which counts a path twice that crosses both bounds.
  Source: Armitage, McPherson and Rowe, JRSS A 132 (1969), for the recursion of
  normal sums; the chain of t statistics follows from `_before`.

  Args:
    alpha: one-sided, of all looks together; at most 1/2.
    looks: numbers of seeds, increasing, at least 2; the last one is the end.
    spending: alpha spent at a share of the seeds; all of it at 1.
  """
  from scipy import special

  if len(looks) == 1:
    return (alpha,)
  mass_C = np.diff(special.ndtr(_EDGE_E))
  # Beyond 0 the upper tails tell apart what 1 - Phi would round.
  upper = _EDGE_E[:-1] > 0
  mass_C[upper] = -np.diff(special.ndtr(-_EDGE_E))[upper]
  result: list[float] = []
  spent, below_C, kept_C = 0.0, np.ones_like(_MID_C), np.ones_like(_MID_C)
  for number, look in enumerate(looks):
    if number:
      below_C = _before(looks[number - 1], look) @ (kept_C * below_C)
    due = max(spending(look / looks[-1], alpha) - spent, 1e-300)
    spent += due
    last = below_C[-1] * special.ndtr(-_EDGE_E[-1])
    beyond_E = np.r_[np.cumsum((below_C * mass_C)[::-1])[::-1], 0.0] + last
    log_E = np.log(np.maximum(beyond_E, 1e-320))
    bound = float(np.interp(-math.log(due), -log_E, _EDGE_E))
    result.append(float(special.ndtr(-bound)))
    # Of the cell that the bound cuts, the part below it.
    below_E = special.ndtr(-np.minimum(_EDGE_E, bound))
    kept_C = np.where(_EDGE_E[1:] <= bound, 1.0, -np.diff(below_E) / mass_C)
  return tuple(result)


@functools.lru_cache(maxsize=64)
def _before(few: int, many: int) -> Array:
  """Returns the chances of cells of t_few, given t_many at each cell: [C, C].

  With n values whose mean and residuals are known up to scale, the residuals'
  direction is uniform on a sphere of n - 1 dimensions. Its component a along
  the contrast of the first m to the others has a^2 ~ Beta(1/2, (n - 2)/2), and
  a share Beta((m - 1)/2, (n - m - 1)/2) of the rest, 1 - a^2, lies within the
  first m. With residuals of length 1, y = t_n / sqrt(n - 1): sum_m / sqrt(m) =
  y sqrt(m / n) + a sqrt((n - m) / n).
  """
  from scipy import special

  m, n = few, many
  node_A, weight_A = np.polynomial.legendre.leggauss(_NODES)
  most = min(math.pi / 2, _REACH / math.sqrt(n - 2))
  angle_A = math.pi / 2 + most * node_A  # a = cos(angle)
  density_A = weight_A * np.sin(angle_A) ** max(0, n - 3)
  density_A /= density_A.sum()
  a_A = np.cos(angle_A)
  y_C = _t(_MID_C, n - 1) / math.sqrt(n - 1)
  mean_CxA = y_C[:, None] * math.sqrt(m / n) + a_A * math.sqrt((n - m) / n)
  rest_A = np.sin(angle_A) ** 2
  below_CxE = np.empty((len(y_C), len(_EDGE_E)))
  for edge, bound in enumerate(_t(_EDGE_E, m - 1)):
    # |t_m| > |bound| where the residuals within the first m are below:
    with np.errstate(over="ignore"):
      room_CxA = (m - 1) * mean_CxA**2 / max(bound**2, 1e-300) / rest_A
    if n - m > 1:
      small_CxA = special.betainc(
        (m - 1) / 2, (n - m - 1) / 2, np.minimum(room_CxA, 1.0)
      )
    else:
      small_CxA = (room_CxA >= 1.0).astype(float)
    side_CxA = mean_CxA > 0 if bound > 0 else mean_CxA < 0
    beyond_C = (side_CxA * small_CxA) @ density_A
    below_CxE[:, edge] = 1 - beyond_C if bound > 0 else beyond_C
  below_CxE[:, 0], below_CxE[:, -1] = 0.0, 1.0
  return np.diff(below_CxE, axis=1)


def _t(z: Array, df: int) -> Array:
  """Returns the t quantiles of normal ones, without rounding at either end."""
  from scipy import special

  return -np.sign(z) * special.stdtrit(df, special.ndtr(-np.abs(z)))


def sequential_p(
  p: Sequence[float | None],
  looks: tuple[int, ...],
  spending: Spending = obrien_fleming,
) -> float | None:
  """Returns one p value for all looks so far: the least alpha that rejects.

  That is the smallest alpha at which some p_k lies at or below the level of
  its look. It may be corrected for several comparisons as any p value.
  Source: Liu and Anderson, JASA 103 (2008); Maurer and Bretz, Statistics in
  Biopharmaceutical Research 5 (2013), for Holm's correction of such.

  Args:
    p: one-sided, of the looks so far; None where no test could be made.
    looks: seeds at each of them and at those to come.
    spending: as for `levels`.
  """
  least: float | None = None
  for look, value in enumerate(p):
    if value is None:
      continue
    if least is None or _level(least, look, looks, spending) > value:
      least = _alpha(value, look, looks, spending)
  return least


def _level(
  alpha: float, look: int, looks: tuple[int, ...], spending: Spending
) -> float:
  if alpha > _LARGEST:  # nothing is rejected at such, nor asked for
    return 1.0
  return levels(alpha, looks, spending)[look]


def _alpha(
  p: float, look: int, looks: tuple[int, ...], spending: Spending
) -> float:
  """Returns the alpha whose level at a look is p; 1 where it is above 1/2."""
  from scipy import optimize

  if len(looks) == 1:
    return p
  p = max(p, _SMALLEST)

  def beyond(exponent: float) -> float:
    return math.log(_level(10**exponent, look, looks, spending) / p)

  least, most = math.log10(_SMALLEST), math.log10(_LARGEST)
  if beyond(most) <= 0:
    return 1.0
  if beyond(least) >= 0:
    return _SMALLEST
  return float(10 ** optimize.brentq(beyond, least, most, xtol=1e-7))
