"""Intervals against scipy, brute force, and simulated coverage."""

import numpy as np
import pytest
from scipy import stats

from lm_jax.report import statistics


def test_pooled_variance_of_two_arms_is_that_of_the_two_sample_t_test():
  rng = np.random.default_rng(0)
  scores_AxN = rng.normal(size=(2, 4))
  scores_AxN[1, 3] = np.nan
  a_N, b_N = scores_AxN[0], scores_AxN[1, :3]
  variance, df = statistics.pooled_variance(scores_AxN)
  pooled = (3 * a_N.var(ddof=1) + 2 * b_N.var(ddof=1)) / 5
  assert (variance, df) == (pytest.approx(pooled), 5)
  t = stats.t.ppf(0.975, 5) * np.sqrt(pooled / 3)
  estimate = statistics.mean_interval(scores_AxN, 1)
  assert estimate.low == pytest.approx(b_N.mean() - t)
  assert estimate.high == pytest.approx(b_N.mean() + t)


def test_unpaired_difference_is_the_two_sample_t_test():
  rng = np.random.default_rng(1)
  scores_AxN = np.full((2, 7), np.nan)  # no seed in common
  scores_AxN[0, :3], scores_AxN[1, 3:] = rng.normal(size=3), rng.normal(size=4)
  found = statistics.seed_difference(scores_AxN, 0, 1)
  want = stats.ttest_ind(scores_AxN[0, :3], scores_AxN[1, 3:])
  interval = want.confidence_interval()
  assert found.p == pytest.approx(want.pvalue)
  assert (found.low, found.high) == pytest.approx((interval.low, interval.high))


def test_paired_difference_of_two_arms_is_the_paired_t_test():
  a_N, b_N = np.random.default_rng(2).normal(size=(2, 4))
  found = statistics.seed_difference(np.stack([a_N, b_N]), 0, 1)
  want = stats.ttest_rel(a_N, b_N)
  interval = want.confidence_interval()
  assert found.p == pytest.approx(want.pvalue)
  assert (found.low, found.high) == pytest.approx((interval.low, interval.high))


def test_residual_variance_takes_arms_and_seeds_out():
  scores_AxN = np.random.default_rng(3).normal(size=(5, 3))
  shifted_AxN = scores_AxN + np.arange(5)[:, None] + 10 * np.arange(3)
  rest_AxN = (
    scores_AxN
    - scores_AxN.mean(1, keepdims=True)
    - scores_AxN.mean(0)
    + scores_AxN.mean()
  )
  variance, df = statistics.residual_variance(shifted_AxN)
  assert df == 8
  assert variance == pytest.approx((rest_AxN**2).sum() / 8)
  shifted_AxN[4, 2] = np.nan
  assert statistics.residual_variance(shifted_AxN)[1] == 7


def test_one_seed_has_no_interval_and_no_p():
  scores_AxN = np.array([[0.6], [0.5]])
  assert statistics.mean_interval(scores_AxN, 0).low is None
  found = statistics.seed_difference(scores_AxN, 0, 1)
  assert (found.low, found.p) == (None, None)
  assert statistics.bootstrap(np.ones((1, 3))).low is None


def test_no_spread_at_all_is_no_evidence():
  same_AxN = np.array([[0.6, 0.6], [0.5, 0.5]])
  found = statistics.seed_difference(same_AxN, 0, 1)
  assert (found.low, found.p) == (None, None)
  assert statistics.seed_difference(same_AxN[[0, 0]], 0, 1).p == 1.0
  found = statistics.bootstrap(np.ones((5, 4)), np.zeros((5, 4)))
  assert (found.low, found.p) == (None, None)


def _tables(rng, seeds, items, sd_seed, sd_item, sd_noise):
  return (
    rng.normal(0, sd_seed, (seeds, 1))
    + rng.normal(0, sd_item, (1, items))
    + rng.normal(0, sd_noise, (seeds, items))
  )


@pytest.mark.parametrize(
  "spreads",
  [(1.0, 0.0, 1.0), (0.0, 3.0, 1.0), (0.0, 0.0, 1.0), (0.3, 2.0, 1.0)],
  ids=["seeds", "items", "noise", "both"],
)
def test_bootstrap_covers_what_it_says(spreads):
  rng = np.random.default_rng(4)
  covered, significant, n = 0, 0, 400
  for _ in range(n):
    found = statistics.bootstrap(_tables(rng, 5, 40, *spreads), resamples=1000)
    covered += found.low <= 0 <= found.high
    significant += found.p < 0.05
  assert 0.92 <= covered / n <= 0.995, covered / n
  assert significant / n <= 0.08


def test_crossed_interval_covers_and_contains_the_seed_interval():
  rng = np.random.default_rng(5)
  covered, n = 0, 400
  for _ in range(n):
    tables = [_tables(rng, 2, 40, 0.3, 2.0, 1.0) for _ in range(4)]
    mean_AxN = np.stack([table.mean(1) for table in tables])
    pooled = statistics.pooled_variance(mean_AxN)
    found = statistics.crossed_interval(tables[0], *pooled)
    covered += found.low <= 0 <= found.high
    over_seeds = statistics.mean_interval(mean_AxN, 0)
    assert found.low <= over_seeds.low <= over_seeds.high <= found.high
  assert 0.93 <= covered / n <= 0.995


def test_pooled_t_covers_with_two_seeds_and_pairing_by_seed():
  rng = np.random.default_rng(6)
  covered, false, n = 0, 0, 1500
  for _ in range(n):
    scores_AxN = rng.normal(size=(6, 2)) + rng.normal(0, 3, 2)
    found = statistics.seed_difference(scores_AxN, 1, 0)
    covered += found.low <= 0 <= found.high
    false += found.p < 0.05
  assert 0.935 <= covered / n <= 0.965
  assert false == n - covered


def test_unpaired_bootstrap_agrees_with_the_t_interval():
  rng = np.random.default_rng(7)
  a_NxI, b_NxI = rng.normal(size=(8, 1)), rng.normal(2, 1, (8, 1))
  found = statistics.bootstrap(a_NxI, b_NxI, paired=False)
  want = stats.ttest_ind(a_NxI[:, 0], b_NxI[:, 0]).confidence_interval()
  assert found.value == pytest.approx(a_NxI.mean() - b_NxI.mean())
  assert (found.low, found.high) == pytest.approx(
    (want.low, want.high), abs=0.35
  )


def test_bootstrap_is_a_function_of_its_input():
  scores_NxI = np.random.default_rng(8).random((6, 50))
  assert statistics.bootstrap(scores_NxI) == statistics.bootstrap(scores_NxI)
