"""What intervals and claims hold of experiments whose truth is known."""

import itertools

import numpy as np
import pytest
import simulated
from scipy import stats

from lm_jax.statistics import differences
from lm_jax.statistics import items as items_lib

GRID = {
  "seeds": (2, 3, 4, 5, 10),
  "spread": tuple(simulated.SPREADS),
  "arms": (2, 6),
  "items": (60, 360, 1000),
  "shared": (True, False),
  "p": (0.5, 0.75, 0.97),
}
MOST_CLAIMS, LEAST_COVERAGE = 0.055, 0.935


def _simulate(rng, count, arms, seeds, items, p, spread, shared):
  """Rates over `count` experiments, in chunks that fit in memory."""
  chunk = max(1, int(1e7 / (arms * seeds * items)))
  total = np.zeros(3)
  for start in range(0, count, chunk):
    size = min(chunk, count - start)
    grid = simulated.scores(rng, size, arms, seeds, items, p, spread, shared)
    total += size * simulated.rates(grid, p, paired=shared)
  return total / count


def _hold(rates, count):
  """Whether the bounds hold, but for what `count` draws may miss by chance."""
  claims, *covered = rates
  # The chance of so many false claims at the bound; one in 20,000 cells.
  at = stats.binom.sf(round(claims * count) - 1, count, MOST_CLAIMS)
  # Intervals of one experiment are not independent: as if it had one.
  less = [
    stats.binom.cdf(round(share * count), count, LEAST_COVERAGE)
    for share in covered
  ]
  return min(at, *less) > 5e-5


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("spread", simulated.SPREADS)
@pytest.mark.parametrize("seeds", [3, 5])
def test_null_experiments_claim_and_cover_what_they_say(seeds, spread, shared):
  rng = np.random.default_rng(seeds)
  rates = _simulate(rng, 400, 6, seeds, 360, 0.75, spread, shared)
  assert _hold(rates, 400), rates


def test_the_former_two_tests_claimed_too_much():
  """So the simulation can tell: they claim in 6 to 29 % of null experiments."""
  rng = np.random.default_rng(0)
  found = {}
  for spread in simulated.SPREADS:
    grid = simulated.scores(rng, 400, 6, 3, 360, 0.75, spread)
    found[spread] = simulated.former_claims(grid).any(1).mean()
  assert found["4-fold"] > 0.1
  assert found["unstable"] > 0.18


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("spread", ["equal", "unstable"])
@pytest.mark.parametrize("p", [0.75, 0.97])
def test_the_library_computes_the_simulated_limits(p, spread, shared):
  rng = np.random.default_rng(7)
  grid = simulated.scores(rng, 12, 3, 4, 60, p, spread, shared).astype(float)
  low, high = simulated.difference_limits(grid, 0.05, paired=shared)
  mean_low, mean_high = simulated.mean_limits(grid)
  for s, arms in enumerate(grid):
    for a, arm_NxI in enumerate(arms):
      found = differences.mean(arm_NxI, fraction=True)
      assert found.low == pytest.approx(mean_low[s, a], abs=1e-9)
      assert found.high == pytest.approx(mean_high[s, a], abs=1e-9)
      if not a:
        continue
      found = differences.difference(
        arm_NxI, arms[0], paired=shared, fraction=True
      )
      if found.low is None:
        assert high[s, a - 1] - low[s, a - 1] < 1e-12
        continue
      assert found.low == pytest.approx(low[s, a - 1], abs=1e-9)
      assert found.high == pytest.approx(high[s, a - 1], abs=1e-9)
      assert (found.p < 0.05) == (found.low > 0 or found.high < 0)


def test_an_interval_at_holms_level_leaves_out_0_where_there_is_a_claim():
  rng = np.random.default_rng(1)
  for _ in range(200):
    p = rng.choice([0.001, 0.012, 0.02, 0.03, 0.2, 0.9], size=5).tolist()
    corrected = items_lib.holm(p)
    levels = items_lib.holm_alphas(p, 0.05)
    for value, holm, level in zip(p, corrected, levels, strict=True):
      assert (value < level) == (holm < 0.05)
  assert items_lib.holm_alphas([None, 0.01]) == [None, 0.05]


@pytest.mark.soak
def test_the_whole_grid(record_property):
  """The table of docs/statistics.md: `pytest -m soak -s` prints it."""
  count, failed = 2000, []
  rng = np.random.default_rng(0)
  worst = {}
  for seeds, spread, *rest in itertools.product(*GRID.values()):
    arms, items, shared, p = rest
    rates = _simulate(rng, count, arms, seeds, items, p, spread, shared)
    if not _hold(rates, count):
      failed.append((seeds, spread, *rest, rates))
    before = worst.setdefault((seeds, spread), np.array([0.0, 1.0, 1.0]))
    worst[seeds, spread] = np.array(
      [max(before[0], rates[0]), *np.minimum(before[1:], rates[1:])]
    )
  for (seeds, spread), rates in worst.items():
    print("|", seeds, "|", spread, "|", *(f"{100 * r:.1f} |" for r in rates))
  for better in (0.05, 0.1, 0.15, 0.2):
    for seeds in (3, 4, 5, 10):
      grid = simulated.scores(rng, 500, 6, seeds, 360, 0.65, better=better)
      low, high = simulated.difference_limits(grid, 0.05 / 5)
      shown = ((low > 0) | (high < 0))[:, 0].mean()
      former = simulated.former_claims(grid)[:, 0].mean()
      print("power |", better, "|", seeds, f"| {shown:.2f} | {former:.2f} |")
  assert not failed, failed
