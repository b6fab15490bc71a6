"""The president's party, told from frozen features of a passage."""

from __future__ import annotations

from lm_jax.tasks import _probe, base


class Party(base.Task):
  """A linear probe for one of two parties; chance is one in two."""

  def measure(self, scorer, dataset, quick=False) -> base.Measure:
    return _probe.measure(scorer, dataset, "party")
