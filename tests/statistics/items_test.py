"""Item-level statistics against scipy and brute force."""

import itertools

import numpy as np
import pytest
from scipy import stats

from lm_jax.statistics import estimates, items


@pytest.mark.parametrize(("successes", "n"), [(0, 20), (7, 20), (500, 600)])
def test_wilson_is_scipys(successes, n):
  want = stats.binomtest(successes, n).proportion_ci(method="wilson")
  found = estimates.wilson(successes, n)
  assert (found.low, found.high) == pytest.approx((want.low, want.high))


def test_wilson_holds_its_share_at_the_ends():
  for n in range(1, 2000):
    none, every = estimates.wilson(0, n), estimates.wilson(n, n)
    assert (none.low, none.value) == (0, 0)
    assert (every.high, every.value) == (1, 1)


def test_half_ties_fall_back_on_t():
  scores_I = np.array([1, 0, 0.5, 1, 1, 0.5, 0, 1.0])
  low, high = stats.t.interval(0.95, 7, scores_I.mean(), stats.sem(scores_I))
  found = items.item_interval(scores_I)
  assert (found.low, found.high) == pytest.approx((low, min(high, 1)))
  binary_I = np.array([1, 0, 1.0])
  assert items.item_interval(binary_I) == estimates.wilson(2, 3)


def test_mcnemar_is_the_exact_sign_test():
  rng = np.random.default_rng(0)
  a_I, b_I = (rng.random((2, 80)) < [[0.7], [0.5]]).astype(float)
  wins, losses = int((a_I > b_I).sum()), int((a_I < b_I).sum())
  want = stats.binomtest(wins, wins + losses).pvalue
  assert items.mcnemar(a_I, b_I) == pytest.approx(want)
  assert items.mcnemar(a_I, a_I) == 1.0
  found = items.item_difference(a_I, b_I)
  assert found.p == pytest.approx(max(want, stats.ttest_rel(a_I, b_I).pvalue))


def test_a_difference_is_shown_exactly_where_its_interval_leaves_0_out():
  """t's interval and the exact test part at the edge: neither wins alone."""
  parted = 0
  for seed in range(300):
    rng = np.random.default_rng(seed)
    a_I, b_I = (rng.random((2, 40)) < [[0.7], [0.5]]).astype(float)
    found = items.item_difference(a_I, b_I)
    assert (found.p < 0.05) == (found.low > 0 or found.high < 0)
    parted += (items.mcnemar(a_I, b_I) < 0.05) != (
      stats.ttest_rel(a_I, b_I).pvalue < 0.05
    )
  assert parted > 5


def test_means_over_seeds_near_the_end_keep_wilsons_width():
  scores_I = np.ones(60)
  scores_I[0] = 0.9  # one item, wrong for one of ten seeds
  found = items.item_interval(scores_I)
  assert found.low == pytest.approx(estimates.wilson(59.9, 60).low)


def test_sign_flip_is_the_enumerated_permutation_test():
  d_I = np.array([0.5, 1, -0.25, 0.5, 0.75, 0, 1, -0.5, 0.25, 1])
  sums = [
    abs(np.dot(signs, d_I)) for signs in itertools.product([-1, 1], repeat=10)
  ]
  want = np.mean(np.array(sums) >= d_I.sum() - 1e-9)
  assert items.sign_flip(d_I) == pytest.approx(want, abs=0.01)
  assert items.sign_flip(np.zeros(5)) == 1.0


def test_sign_flip_rejects_no_more_than_it_says():
  rng = np.random.default_rng(1)
  d_RxI = rng.choice([-1, -0.5, 0, 0.5, 1], size=(300, 60))
  found = [items.sign_flip(d_I, resamples=500) for d_I in d_RxI]
  assert 0.02 <= np.mean(np.array(found) < 0.05) <= 0.08


def test_holm_by_hand_and_bounded_by_bonferroni():
  found = items.holm([0.04, 0.01, None, 0.03])
  assert found == [pytest.approx(0.06), pytest.approx(0.03), None, 0.06]
  assert items.holm([0.9, 0.8]) == [1.0, 1.0]
  assert items.holm([]) == []
  p = np.random.default_rng(2).random(20) ** 4
  corrected = np.array(items.holm(list(p)))
  assert (corrected >= p).all()
  assert (corrected <= np.minimum(1, 20 * p) + 1e-12).all()
  assert (np.diff(corrected[np.argsort(p)]) >= 0).all()
