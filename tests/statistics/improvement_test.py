"""Probability of improvement and interquartile means, against rliable's."""

import numpy as np
import pytest
from scipy import stats

from lm_jax.statistics import improvement


def _rliable_probability(x_NxT, y_MxT):
  """As rliable 1.2.0 has it (metrics.probability_of_improvement)."""
  shares = [
    stats.mannwhitneyu(x_NxT[:, t], y_MxT[:, t], alternative="greater")[0]
    / (len(x_NxT) * len(y_MxT))
    for t in range(x_NxT.shape[1])
  ]
  return np.mean(shares)


@pytest.mark.parametrize(("n", "m", "tasks"), [(3, 3, 1), (5, 4, 3), (8, 8, 2)])
def test_both_are_rliables(n, m, tasks):
  rng = np.random.default_rng(n)
  x = np.round(rng.normal(0.3, 1, (n, tasks)), 1)
  y = np.round(rng.normal(0, 1, (m, tasks)), 1)
  want = _rliable_probability(x, y)
  assert improvement.probability(x, y) == pytest.approx(want)
  # rliable's aggregate_iqm.
  want = stats.trim_mean(x, proportiontocut=0.25, axis=None)
  assert improvement.interquartile_mean(x) == pytest.approx(want)


def test_ties_are_half_and_equal_runs_show_nothing():
  x = np.array([[1.0], [1.0], [2.0]])
  assert improvement.probability(x, x) == 0.5
  assert improvement.probability(x, x - 1) == pytest.approx((7 + 2 / 2) / 9)


def test_without_expansion_the_interval_is_the_percentile_bootstrap():
  rng = np.random.default_rng(2)
  x = rng.normal(size=(12, 3))
  low, high = improvement.bootstrap(
    improvement.interquartile_mean, x, resamples=4000, expanded=False
  )
  own = np.random.default_rng(9)
  means = [
    stats.trim_mean(
      np.stack([own.choice(column, 12) for column in x.T], 1), 0.25, axis=None
    )
    for _ in range(4000)
  ]
  want = np.quantile(means, [0.025, 0.975])
  np.testing.assert_allclose((low, high), want, atol=0.02)


def test_runs_that_do_not_overlap_are_no_certainty():
  """The bootstrap alone says 1 [1, 1]."""
  found = improvement.improvement(
    np.array([[3.0], [4.0], [5.0]]), np.array([[0.0], [1.0], [2.0]])
  )
  assert (found.value, found.high) == (1.0, 1.0)
  assert 0.2 < found.low < 0.7
  few = improvement.robust_mean(np.array([[1.0], [2.0], [6.0]]))
  assert (few.value, few.low) == (3.0, None)


@pytest.mark.parametrize(("n", "least"), [(3, 0.95), (5, 0.94), (10, 0.93)])
@pytest.mark.parametrize("shift", [0.0, 1.0])
def test_the_interval_of_the_probability_holds_it(n, least, shift):
  rng = np.random.default_rng(n)
  truth = stats.norm.cdf(shift / np.sqrt(2))
  held = 0
  for _ in range(120):
    x, y = rng.normal(shift, 1, (n, 1)), rng.normal(0, 1, (n, 1))
    found = improvement.improvement(x, y)
    held += found.low <= truth <= found.high
  # As few by chance once in 2,000 such simulations.
  assert held >= stats.binom.ppf(5e-4, 120, least)


def test_the_interval_of_the_interquartile_mean_holds_it():
  rng = np.random.default_rng(0)
  held = 0
  for _ in range(100):
    found = improvement.robust_mean(rng.normal(size=(5, 1)))
    held += found.low <= 0 <= found.high
  assert held >= stats.binom.ppf(5e-4, 100, 0.9)
