"""Planned power against the noncentral t, and against the report's own test."""

import math

import numpy as np
import pytest
import simulated
from scipy import stats

from lm_jax.statistics import equivalence, power
from lm_jax.statistics.differences import difference, difference_limits
from lm_jax.statistics.equivalence import Comparison
from lm_jax.statistics.power import PairSpread


@pytest.mark.parametrize("seeds", [3, 5, 10])
@pytest.mark.parametrize("effect", [0.5, 1.0, 2.5])
def test_without_items_it_is_the_paired_t_test(seeds, effect):
  found = power.power(seeds, PairSpread(1.3), effect)
  t = stats.t.isf(0.025, seeds - 1)
  want = stats.nct.sf(t, seeds - 1, effect / 1.3 * math.sqrt(seeds))
  assert found == pytest.approx(want, abs=2e-3)


def test_exclusion_is_the_power_of_two_one_sided_tests():
  rng = np.random.default_rng(0)
  d_SxN = rng.normal(0, 1.3, (100_000, 6))
  error = d_SxN.std(1, ddof=1) / math.sqrt(6)
  half = stats.t.isf(0.05, 5) * error
  want = (np.abs(d_SxN.mean(1)) + half < 2.0).mean()
  found = power.power(6, PairSpread(1.3), 2.0, "exclude")
  assert found == pytest.approx(want, abs=0.006)


def test_seeds_needed_are_the_fewest_that_reach_the_power():
  spread = PairSpread(1.0)
  for effect in (0.8, 1.5, 3.0):
    for goal in ("show", "exclude"):
      n = power.seeds_needed(spread, effect, goal)
      assert power.power(n, spread, effect, goal) >= 0.8
      assert n == 3 or power.power(n - 1, spread, effect, goal) < 0.8
  assert power.seeds_needed(spread, 0.01) is None
  # Items scatter, whatever the seeds.
  spread = PairSpread(0.02, items_error=0.03, items=100)
  assert power.seeds_needed(spread, 0.05) is None


def test_a_pilots_spread_is_that_of_its_differences():
  rng = np.random.default_rng(1)
  arm, base = rng.normal(size=(2, 4, 30))
  spread = PairSpread.from_pilot(arm, base)
  of_seeds = (arm - base).mean(1).std(ddof=1)
  assert spread.deviation == pytest.approx(of_seeds)
  assert (spread.items, spread.df) == (30, 3)
  # A pilot of so few seeds exceeds s / upper in 80 % of pilots.
  ratio = spread.upper().deviation / spread.deviation
  assert stats.chi2.cdf(3 / ratio**2, 3) == pytest.approx(0.2)
  assert PairSpread(1.0).upper() == PairSpread(1.0)


def _truth(items, better):
  """The spread of `simulated.scores`, from many seeds of many items."""
  rng = np.random.default_rng(3)
  parts = [
    PairSpread.from_pilot(arms[1].astype(float), arms[0].astype(float))
    for arms in simulated.scores(rng, 8, 2, 300, items, p=0.65, better=better)
  ]
  mean = lambda name: float(np.mean([getattr(p, name) for p in parts]))  # noqa: E731
  return PairSpread(
    *(mean(name) for name in ("deviation", "items_error", "noise")), items
  )


@pytest.mark.parametrize(("seeds", "better"), [(3, 0.1), (5, 0.06), (8, 0.05)])
def test_planned_power_is_that_of_the_reports_test(seeds, better):
  """Within 5 points, of 0/1 items and seeds that shift all arms alike."""
  count, items = 500, 360
  rng = np.random.default_rng(4)
  grid = simulated.scores(rng, count, 2, seeds, items, p=0.65, better=better)
  shown = 0
  for arms in grid.astype(float):
    estimate = difference(arms[1], arms[0], fraction=True)
    shown += estimate.low is not None and estimate.low > 0
  planned = power.power(seeds, _truth(items, better), better)
  assert 0.1 < planned < 0.97
  print(seeds, better, shown / count, planned)
  # Two standard errors of the simulation are 4.5 points.
  assert abs(shown / count - planned) < 0.05


def test_planned_power_of_exclusion_is_that_of_the_reports_verdict():
  count, items, seeds, margin = 300, 360, 5, 0.07
  rng = np.random.default_rng(5)
  grid = simulated.scores(rng, count, 2, seeds, items, p=0.65)
  same = 0
  for arms in grid.astype(float):
    limits = difference_limits(arms[1], arms[0], paired=True, fraction=True)
    value = float(arms[1].mean() - arms[0].mean())
    same += equivalence.tost(Comparison(value, limits), margin) < 0.05
  planned = power.power(seeds, _truth(items, 0.0), margin, "exclude")
  print(same / count, planned)
  assert 0.2 < planned < 0.95
  assert abs(same / count - planned) < 0.06
