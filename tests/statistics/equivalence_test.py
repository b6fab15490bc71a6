"""Verdicts by two one-sided tests: against scipy, and by simulation."""

import numpy as np
import pytest
import simulated
from scipy import stats

from lm_jax.statistics import equivalence
from lm_jax.statistics.differences import difference_limits
from lm_jax.statistics.equivalence import Comparison, Verdict


def of_seeds(difference_N):
  """A comparison of scores without items: the paired t test."""
  arm = np.asarray(difference_N, float)[:, None]
  limits = difference_limits(arm, 0 * arm, paired=True, fraction=False)
  return Comparison(float(arm.mean()), limits)


def verdict(difference_N, **options):
  (result,) = equivalence.verdicts([[of_seeds(difference_N)]], **options)
  return result


@pytest.mark.parametrize("seed", range(5))
def test_one_sided_p_values_are_students(seed):
  d_N = np.random.default_rng(seed).normal(0.3, 1, 6)
  comparison = of_seeds(d_N)
  for bound in (-0.5, 0.0, 0.4):
    want = stats.ttest_1samp(d_N, bound, alternative="greater").pvalue
    found = equivalence.one_sided_p(comparison, bound)
    assert found == pytest.approx(want, abs=1e-8)
  both = [
    stats.ttest_1samp(d_N, -1.0, alternative="greater").pvalue,
    stats.ttest_1samp(d_N, 1.0, alternative="less").pvalue,
  ]
  assert equivalence.tost(comparison, 1.0) == pytest.approx(max(both))


@pytest.mark.parametrize("seed", range(20))
def test_equivalent_is_an_interval_of_90_percent_within_the_margin(seed):
  rng = np.random.default_rng(seed)
  arms = simulated.scores(rng, 1, 2, 5, 200, p=0.8)[0].astype(float)
  limits = difference_limits(arms[1], arms[0], paired=True, fraction=True)
  comparison = Comparison(float(arms[1].mean() - arms[0].mean()), limits)
  low, high = limits(0.1)
  for margin in (0.03, 0.06, 0.1, 0.2):
    inside = -margin < low and high < margin
    assert (equivalence.tost(comparison, margin) < 0.05) == inside


@pytest.mark.parametrize(
  ("shift", "options", "kind", "sign"),
  [
    (3.0, {"margin": 1.0}, "better", 1),
    (-3.0, {"margin": 1.0}, "worse", -1),
    (3.0, {"margin": 1.0, "higher_better": False}, "worse", 1),
    (0.0, {"margin": 1.0}, "equivalent", 0),
    (0.0, {}, "inconclusive", 0),
    (0.0, {"margin": 0.02}, "inconclusive", 0),
    (0.5, {"margin": 1.0}, "equivalent", 1),
    (3.0, {"margin": 1.0, "direction": "higher"}, "better", 1),
    (-3.0, {"margin": 1.0, "direction": "higher"}, "inconclusive", 0),
    (-3.0, {"margin": 1.0, "direction": "lower"}, "worse", -1),
    (
      -3.0,
      {"margin": 1.0, "direction": "lower", "higher_better": False},
      "better",
      -1,
    ),
  ],
)
def test_each_verdict_from_a_planted_data_set(shift, options, kind, sign):
  found = verdict(shift + np.array([-0.1, 0.0, 0.05, 0.15, -0.1]), **options)
  assert (found.kind, found.sign) == (kind, sign)


def test_nothing_is_shown_without_a_test():
  (found,) = equivalence.verdicts([[Comparison(9.0)]], margin=1.0)
  assert found == Verdict("inconclusive")


def test_few_noisy_seeds_are_inconclusive_not_the_same():
  found = verdict([2.0, -1.5, -0.4], margin=1.0)
  assert found.kind == "inconclusive"
  assert found.p > 0.5 and found.p_equivalence > 0.05


def test_both_kinds_of_claims_are_corrected_for_the_family():
  rng = np.random.default_rng(0)
  shifts = (1.0, 0.0, 0.0, 3.0)
  family = [[of_seeds(rng.normal(shift, 0.6, 6))] for shift in shifts]
  alone = [equivalence.verdicts([looks], margin=1.0)[0] for looks in family]
  corrected = equivalence.verdicts(family, margin=1.0)
  order = np.argsort([v.p for v in alone])
  want = np.maximum.accumulate(
    [(4 - i) * alone[k].p for i, k in enumerate(order)]
  )
  found = [corrected[k].p for k in order]
  np.testing.assert_allclose(found, np.minimum(1, want))
  assert corrected[1].p_equivalence >= alone[1].p_equivalence


def test_looks_hold_each_verdict_that_was_reached():
  """Also where a later look alone would not have reached it."""
  looks = (4, 8)
  early = of_seeds([3.0, 3.1, 2.9, 3.05])
  late = of_seeds([3.0, 3.1, 2.9, 3.05, -9.0, 9.0, -9.0, 6.0])
  options = {"margin": 1.0, "looks": looks}
  (first,) = equivalence.verdicts([[early]], **options)
  (both,) = equivalence.verdicts([[early, late]], **options)
  assert (first.kind, both.kind) == ("better", "better")
  # The same seeds at the end alone show nothing.
  (end,) = equivalence.verdicts([[late]], margin=1.0)
  assert end.kind == "inconclusive"
  # One look at p < 0.05 is not enough early on.
  weak = of_seeds([1.0, 2.0, 3.5, 2.2])
  assert equivalence.verdicts([[weak]])[0].kind == "better"
  (found,) = equivalence.verdicts([[weak]], looks=looks)
  assert found.kind == "inconclusive"


def test_errors_of_a_family_at_four_looks():
  """Null arms differ, or arms at the margin are equal, in at most 5 %."""
  looks, count = (3, 5, 8), 120
  rng = np.random.default_rng(5)
  errors = np.zeros(2)
  for _ in range(count):
    null = rng.normal(0, 1, (2, looks[-1]))
    edge = null + np.array([[1.5], [-1.5]])
    for k, arms in enumerate((null, edge)):
      family = [[of_seeds(arm[:n]) for n in looks] for arm in arms]
      found = equivalence.verdicts(family, margin=1.5, looks=looks)
      wrong = {"better", "worse"} if k == 0 else {"equivalent"}
      errors[k] += any(v.kind in wrong for v in found)
  # As many by chance in one of 2,000 such simulations, at 5 %.
  assert errors.max() <= stats.binom.isf(5e-4, count, 0.05)
