"""Intervals against scipy, brute force, and simulated coverage."""

import numpy as np
import pytest
from scipy import stats

from lm_jax.statistics import differences, estimates


def _column(scores_N):
  return np.asarray(scores_N, float)[:, None]


def test_a_mean_over_seeds_is_students_by_its_own_spread():
  scores_N = np.random.default_rng(0).normal(size=4)
  low, high = stats.t.interval(0.95, 3, scores_N.mean(), stats.sem(scores_N))
  found = differences.mean(_column(scores_N))
  assert (found.low, found.high) == pytest.approx((low, high))
  assert (found.p, found.n) == (None, 4)


def test_a_paired_difference_without_items_is_the_paired_t_test():
  a_N, b_N = np.random.default_rng(2).normal(size=(2, 4))
  found = differences.difference(_column(a_N), _column(b_N))
  want = stats.ttest_rel(a_N, b_N)
  interval = want.confidence_interval()
  assert found.p == pytest.approx(want.pvalue)
  assert (found.low, found.high) == pytest.approx((interval.low, interval.high))


def test_an_unpaired_difference_is_never_narrower_than_welchs():
  for seed in range(50):
    rng = np.random.default_rng(seed)
    a_N, b_N = rng.normal(size=3), rng.normal(0, 4, size=5)
    found = differences.difference(_column(a_N), _column(b_N), paired=False)
    want = stats.ttest_ind(a_N, b_N, equal_var=False)
    assert found.p >= want.pvalue - 1e-9
  # With one arm that does not scatter, they are the same.
  a_N = np.full(3, 0.5)
  found = differences.difference(_column(a_N), _column(b_N), paired=False)
  assert found.p == pytest.approx(stats.ttest_1samp(b_N, 0.5).pvalue)


@pytest.mark.parametrize("n", [1, 2])
def test_below_three_seeds_nothing_is_claimed(n):
  scores_NxI = np.linspace(0.1, 0.9, n * 4).reshape(n, 4)
  found = differences.difference(scores_NxI, scores_NxI[::-1] - 0.3)
  assert (found.low, found.p) == (None, None)
  assert differences.mean(scores_NxI, fraction=True).low is None


def test_no_spread_at_all_is_no_evidence():
  same_NxI = np.full((3, 1), 0.6)
  found = differences.difference(same_NxI, same_NxI - 0.1)
  assert (found.low, found.p) == (None, None)
  assert differences.difference(same_NxI, same_NxI).p == 1.0
  found = differences.difference(np.ones((5, 4)), np.zeros((5, 4)))
  assert (found.low, found.p) == (None, None)


def test_seeds_that_agree_by_chance_do_not_make_a_claim():
  """Three seeds right on 58, 58 and 58 of 60 items, on others each time."""
  arm_NxI, base_NxI = np.ones((2, 3, 60))
  for seed in range(3):
    arm_NxI[seed, 2 * seed : 2 * seed + 2] = 0
    base_NxI[seed, 10 + 4 * seed : 14 + 4 * seed] = 0
  found = differences.difference(arm_NxI, base_NxI, fraction=True)
  assert found.value == pytest.approx(2 / 60)
  assert found.low < 0 < found.high
  assert found.p > 0.05


def test_shares_stay_between_0_and_1_and_reach_away_from_the_end():
  scores_NxI = np.ones((3, 60))
  scores_NxI[0, :2] = scores_NxI[1, 5:11] = 0
  found = differences.mean(scores_NxI, fraction=True)
  assert 0 <= found.low < found.value < found.high <= 1
  assert found.value - found.low > 2 * (found.high - found.value)
  every = differences.mean(np.ones((3, 60)), fraction=True)
  assert (every.value, every.high) == (1, 1)
  assert every.low == pytest.approx(estimates.wilson(60, 60).low)


def test_an_arm_that_scatters_is_named():
  rng = np.random.default_rng(3)
  scores_AxN = 0.7 + rng.normal(0, 0.01, (6, 5)) * np.array(
    [[1], [1], [8], [1], [1], [1]]
  )
  (found,) = differences.scattering(dict(enumerate(scores_AxN)))
  assert found.arm == 2
  assert found.deviation == pytest.approx(scores_AxN[2].std(ddof=1))
  others = np.delete(scores_AxN, 2, 0).var(1, ddof=1).mean()
  assert found.ratio == pytest.approx(found.deviation / np.sqrt(others))


def test_equal_arms_are_rarely_said_to_scatter():
  rng = np.random.default_rng(4)
  named = sum(
    bool(differences.scattering(dict(enumerate(rng.normal(size=(6, 3))))))
    for _ in range(400)
  )
  assert named / 400 < 0.08
