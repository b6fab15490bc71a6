"""Power laws and crossings of curves whose truth is known."""

import numpy as np
import pytest
from scipy import optimize, stats

from lm_jax.statistics import scaling

BUDGETS = np.geomspace(1e9, 1e13, 6)
UNIT = 1e11


def law(budget, e, a, alpha):
  return e + a * (budget / UNIT) ** -alpha


def losses(rng, truth, seeds=4, shared=0.004, own=0.004):
  """Seeds shift a whole curve, and each point of it."""
  seed_N = rng.normal(0, shared, seeds)
  return [law(c, *truth) + seed_N + rng.normal(0, own, seeds) for c in BUDGETS]


@pytest.mark.parametrize("with_e", [True, False])
def test_the_fit_is_the_best_of_scipys_from_several_starts(with_e):
  rng = np.random.default_rng(0)
  truth = (1.7 if with_e else 0.0, 0.9, 0.15)
  data = losses(rng, truth, own=0.02)
  mean = np.array([x.mean() for x in data])
  found = scaling.fit(BUDGETS, data, with_e)

  def rest(p):
    e, a, alpha = (np.exp(p[0]), *np.exp(p[1:])) if with_e else (0, *np.exp(p))
    return law(BUDGETS, e, a, alpha) - mean

  starts = [(e, a, b) for e in (-3, 0, 1) for a in (-1, 1) for b in (-4, -1, 1)]
  best = min(
    (
      optimize.least_squares(rest, start if with_e else start[1:])
      for start in starts
    ),
    key=lambda fit: fit.cost,
  )
  assert found.unit == pytest.approx(UNIT)
  assert found.residual**2 * len(BUDGETS) == pytest.approx(
    2 * best.cost, rel=1e-5
  )
  assert found.exponent.value == pytest.approx(np.exp(best.x[-1]), rel=1e-3)
  want = rest(best.x) + mean
  np.testing.assert_allclose([found.at(c) for c in BUDGETS], want, rtol=1e-4)


@pytest.mark.parametrize("with_e", [True, False])
def test_intervals_hold_the_parameters(with_e):
  truth = (1.7 if with_e else 0.0, 0.9, 0.2)
  rng, count = np.random.default_rng(1), 60
  held = np.zeros(3)
  for _ in range(count):
    found = scaling.fit(BUDGETS, losses(rng, truth), with_e, count=300)
    parts = (found.irreducible, found.scale, found.exponent)
    for i, (part, value) in enumerate(zip(parts, truth, strict=True)):
      held[i] += part.low is None or part.low <= value <= part.high
  least = stats.binom.ppf(5e-4, count, 0.94)
  assert (held >= least).all(), held


def test_too_few_budgets_are_refused_and_one_seed_has_no_interval():
  data = [np.array([3.0]), np.array([2.5]), np.array([2.2])]
  with pytest.raises(ValueError, match="a fit needs 4"):
    scaling.fit(BUDGETS[:3], data)
  found = scaling.fit(BUDGETS[:3], data, with_e=False)
  assert found.exponent.low is None
  assert found.exponent.value > 0


# The second arm begins behind and falls faster; they cross at 1e11 * 2.5^5.
FIRST, SECOND = (1.0, 1.0, 0.1), (1.0, 1.2, 0.3)


def test_a_crossing_is_covered():
  rng, count = np.random.default_rng(2), 60
  truth = UNIT * 1.2 ** (1 / 0.2)
  held = []
  for _ in range(count):
    a = losses(rng, FIRST, own=0.02)
    b = losses(rng, SECOND, own=0.02)
    found = scaling.crossing(BUDGETS, a, b, count=300)
    assert found.before == 0 or found.value is None
    low, high = found.low or 0, found.high or np.inf
    held.append(low <= truth <= high)
  assert sum(held) >= stats.binom.ppf(5e-4, count, 0.94), np.mean(held)


def test_no_crossing_within_the_range_is_an_answer():
  rng = np.random.default_rng(3)
  a, b = (losses(rng, (1.0, scale, 0.2)) for scale in (1.0, 1.5))
  found = scaling.crossing(BUDGETS, a, b)
  assert (found.value, found.low, found.high) == (None, None, None)
  assert (found.before, found.crossing) == (0, 0.0)
  assert scaling.crossing(BUDGETS, b, a).before == 1
