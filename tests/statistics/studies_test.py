"""What studies choose, against a known truth."""

import numpy as np
import pytest

from lm_jax.statistics import differences, studies

STUDIES, TRIALS = 3, 5


def _points(dimensions=1, offset=0):
  return np.stack(
    [studies.sobol(offset + s, TRIALS, dimensions) for s in range(STUDIES)]
  )


def test_points_fill_the_range_and_do_not_depend_on_their_number():
  few, many = studies.sobol(3, 5, 2), studies.sobol(3, 8, 2)
  np.testing.assert_array_equal(few, many[:5])
  # Of eight points one lies in each eighth of every range.
  for column in many.T:
    np.testing.assert_array_equal(np.sort((8 * column).astype(int)), range(8))
  assert not np.array_equal(few, studies.sobol(4, 5, 2))


def test_the_median_study_chooses():
  points = _points()
  scores = np.zeros((STUDIES, TRIALS))
  scores[0, 1], scores[1, 4], scores[2, 2] = 0.9, 0.5, 0.7
  choice = studies.choose(points, scores)
  assert (choice.study, choice.trial) == (2, 2)


def test_trials_without_a_score_lose():
  scores = np.full((STUDIES, TRIALS), -np.inf)
  assert studies.choose(_points(), scores) is None
  scores[1, 3] = -2.0
  choice = studies.choose(_points(), scores)
  assert (choice.study, choice.trial) == (1, 3)


def _flagged(centre, noise, experiments=300):
  """The share of experiments whose optimum is said to be at an edge."""
  rng = np.random.default_rng(0)
  flags = 0
  for number in range(experiments):
    points = _points(offset=STUDIES * number)
    truth = -((points[..., 0] - centre) ** 2)
    scores = truth + noise * rng.normal(size=truth.shape)
    flags += bool(studies.choose(points, scores).boundary)
  return flags / experiments


@pytest.mark.parametrize("centre", [-0.5, 1.5])
def test_an_optimum_beyond_the_range_is_flagged(centre):
  assert _flagged(centre, noise=0.0) == 1
  assert _flagged(centre, noise=0.05) > 0.9


def test_an_optimum_within_the_range_is_not():
  assert _flagged(0.5, noise=0.0) == 0
  assert _flagged(0.5, noise=0.02) < 0.05


def test_an_option_without_effect_is_rarely_flagged():
  rng = np.random.default_rng(1)
  flags = sum(
    bool(
      studies.choose(_points(offset=3 * n), rng.normal(size=(3, 5))).boundary
    )
    for n in range(400)
  )
  assert flags / 400 < 0.1


def test_few_trials_leave_an_edge_possible():
  points = np.array([[[0.1], [0.6], [0.9]]])
  edge = studies.choose(points, np.array([[0.0, 0.5, 1.0]]))
  assert edge.boundary == (0,)
  assert studies.choose(points, np.array([[0.0, 1.0, 0.5]])).boundary == ()


def test_best_so_far_is_what_fewer_trials_would_have_chosen():
  scores = np.array([[0.1, 0.3, 0.2], [0.5, 0.4, 0.9]])
  np.testing.assert_array_equal(
    studies.best_so_far(scores), [[0.1, 0.3, 0.3], [0.5, 0.5, 0.9]]
  )


@pytest.mark.parametrize(("shared", "most"), [(True, 0.05), (False, 0.08)])
def test_arms_that_differ_by_name_have_no_winner(shared, most):
  """Tuned alike and measured anew, equal arms are told apart by chance alone.

  Quality depends on the setting, as it does, and trials scatter; the best of
  all trials must not win. Arms that differ by name alone have the same trials
  to the bit, since points and seeds are the same. Trials that scatter apart
  choose different settings, whose difference is a real one: docs/tuning.md.
  """
  rng = np.random.default_rng(2)
  quality = lambda place: -0.2 * (place - 0.5) ** 2  # noqa: E731
  winners, experiments = 0, 1000
  for number in range(experiments):
    points = _points(offset=STUDIES * number)
    noises = 0.1 * rng.normal(size=(2, STUDIES, TRIALS))
    sides = []
    for noise in noises:
      scores = quality(points[..., 0]) + (noises[0] if shared else noise)
      tuned = studies.choose(points, scores)
      place = points[tuned.study, tuned.trial, 0]
      sides.append(quality(place) + 0.1 * rng.normal(size=(5, 1)))
    winners += differences.difference(*sides, paired=True).p < 0.05
  error = np.sqrt(most * (1 - most) / experiments)
  assert winners / experiments < most + 2 * error
