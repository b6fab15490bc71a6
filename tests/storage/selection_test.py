"""Which evaluation is chosen, and when a run ends early."""

import pytest

from lm_jax.storage.selection import Selection


def test_the_first_of_the_best_is_chosen():
  selection = Selection(0)
  assert selection.best is None
  for step, value in ((10, 0.5), (20, 0.75), (30, 0.75), (40, 0.25)):
    selection.note(step, value)
  assert selection.best == 20
  assert not selection.should_stop


@pytest.mark.parametrize(
  ("values", "stops"),
  [
    ([0.5, 0.4, 0.4], [False, False, True]),
    ([0.5, 0.4, 0.6, 0.6, 0.6], [False, False, False, False, True]),
  ],
)
def test_patience_counts_what_is_no_better(values, stops):
  selection = Selection(2)
  found = []
  for step, value in enumerate(values, 1):
    selection.note(step, value)
    found.append(selection.should_stop)
  assert found == stops


def test_a_step_that_is_made_again_replaces_what_it_gave():
  selection = Selection(0, [[10, 0.5], [20, 0.9]])
  selection.note(20, 0.1)
  assert selection.curve == [(10, 0.5), (20, 0.1)]
  assert selection.best == 10
