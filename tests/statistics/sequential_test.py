"""Alpha spending against published bounds, and by simulation with few seeds."""

import numpy as np
import pytest
from scipy import stats

from lm_jax.statistics import sequential

LOOKS = (3, 5, 8, 12)


def bounds(alpha, looks, spending=sequential.obrien_fleming):
  return stats.norm.isf(sequential.levels(alpha, looks, spending))


def equal(count):
  """So many seeds that t statistics are normal."""
  return tuple(5000 * (k + 1) for k in range(count))


# Two-sided 0.05, equal looks: Reboussin, DeMets, Kim and Lan, "Programs for
# computing group sequential boundaries using the Lan-DeMets method" (2000),
# and the tables of gsDesign and ldbounds.
PUBLISHED = {
  "obrien_fleming": {
    2: (2.9626, 1.9686),
    3: (3.7103, 2.5114, 1.9930),
    4: (4.3326, 2.9631, 2.3590, 2.0141),
    5: (4.8769, 3.3569, 2.6803, 2.2898, 2.0310),
  },
  "pocock": {
    2: (2.1570, 2.2010),
    5: (2.4380, 2.4268, 2.4101, 2.3966, 2.3859),
  },
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_bounds_are_the_published_ones(name):
  for count, want in PUBLISHED[name].items():
    found = bounds(0.025, equal(count), getattr(sequential, name))
    np.testing.assert_allclose(found, want, rtol=3e-3)


def test_a_normal_path_crosses_some_bound_as_often_as_alpha_says():
  """By scipy's integral of the looks' joint normal distribution."""
  looks = (3000, 5000, 8000, 12000)
  cov = np.array(
    [[np.sqrt(min(m, n) / max(m, n)) for n in looks] for m in looks]
  )
  for alpha in (0.05, 0.005):
    c = bounds(alpha, looks)
    for upto in range(1, 5):
      below = stats.multivariate_normal(cov=cov[:upto, :upto]).cdf(c[:upto])
      want = sequential.obrien_fleming(looks[upto - 1] / looks[-1], alpha)
      assert 1 - below == pytest.approx(want, rel=0.01)


def test_one_look_at_the_end_changes_nothing():
  assert sequential.levels(0.05, (7,)) == pytest.approx((0.05,), rel=1e-3)
  assert sequential.sequential_p([0.02], (7,)) == 0.02
  assert sequential.sequential_p([None], (7,)) is None
  assert sequential.sequential_p([0.9, None], (3, 7)) == 1.0


def test_a_sequential_p_lies_below_alpha_exactly_where_a_look_rejects():
  rng = np.random.default_rng(0)
  decided = set()
  for _ in range(30):
    p = (10 ** rng.uniform(-4, -1, 4)).tolist()
    found = sequential.sequential_p(p, LOOKS)
    for alpha in (0.025, 0.01):
      level = sequential.levels(alpha, LOOKS)
      rejects = any(a <= b for a, b in zip(p, level, strict=True))
      assert (found <= alpha) == rejects
      decided.add(rejects)
  assert decided == {True, False}


def _p(difference_SxN, looks):
  """One-sided p values of the t test at each look, [S, K]."""
  columns = []
  for n in looks:
    part = difference_SxN[:, :n]
    t = part.mean(1) / (part.std(1, ddof=1) / np.sqrt(n))
    columns.append(stats.t.sf(t, n - 1))
  return np.stack(columns, 1)


@pytest.mark.parametrize("name", ["obrien_fleming", "pocock"])
def test_four_looks_at_few_seeds_err_in_5_percent_of_null_experiments(name):
  """By t tests with 2 to 11 degrees of freedom; prints what looks cost."""
  spending = getattr(sequential, name)
  level = np.array(sequential.levels(0.025, LOOKS, spending))
  rng = np.random.default_rng(1)
  noise = rng.normal(size=(40_000, LOOKS[-1]))
  p = _p(noise, LOOKS)
  err = ((p <= level) | (1 - p <= level)).any(1).mean()
  print(f"{name}: two-sided type I error {100 * err:.2f} %")
  # 0.11 points is the standard error; the normal limit errs in 5.3 and 5.5 %.
  assert 0.046 < err < 0.0525
  # Uncorrected looks would err far more often, so the simulation can tell.
  assert (2 * np.minimum(p, 1 - p) <= 0.05).any(1).mean() > 0.1
  for effect in (0.6, 0.9, 1.2, 2.0):
    shifted = _p(noise[:10_000] + effect, LOOKS)
    at_end = (shifted[:, -1] <= 0.025).mean()
    rejects = shifted <= level
    power, first = rejects.any(1).mean(), rejects.argmax(1)
    seeds = np.where(rejects.any(1), np.take(LOOKS, first), LOOKS[-1]).mean()
    print(
      f"{name}: effect {effect} sd: power {100 * power:.1f} % with looks,"
      f" {100 * at_end:.1f} % without; {seeds:.1f} of {LOOKS[-1]} seeds"
    )
    if name == "obrien_fleming":
      assert at_end - power < 0.03


def test_equivalence_at_looks_errs_in_5_percent_at_the_margin():
  """True difference at the margin: both one-sided tests at some look."""
  margin = 1.0
  level = np.array(sequential.levels(0.05, LOOKS))
  rng = np.random.default_rng(2)
  noise = rng.normal(size=(20_000, LOOKS[-1]))
  at = np.maximum(_p(noise + 2 * margin, LOOKS), 1 - _p(noise, LOOKS))
  assert (at <= level).any(1).mean() < 0.0535
  equal_arms = np.maximum(
    _p(noise + margin, LOOKS), 1 - _p(noise - margin, LOOKS)
  )
  assert (equal_arms <= level).any(1).mean() > 0.75
