"""Every fault once or a few times in the suite, and many times in a soak."""

from __future__ import annotations

import pytest

from faults import soak


@pytest.mark.parametrize("name", soak.names())
def test_a_fault_is_survived(name):
  tally = soak.run(name, soak.fault(name).SHORT)
  assert tally.held == tally.tried > 0, tally.line()


@pytest.mark.soak
@pytest.mark.parametrize("name", soak.names())
def test_a_fault_is_survived_many_times(name):
  tally = soak.run(name)
  assert tally.held == tally.tried > 0, tally.line()
