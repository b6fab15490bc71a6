"""The era of a passage of the embedded corpus, told from frozen features."""

from __future__ import annotations

from lm_jax.tasks import _probe, base


class Era(base.Task):
  """A linear probe for one of four eras; chance is one in four."""

  def measure(self, scorer, dataset, quick=False) -> base.Measure:
    return _probe.measure(scorer, dataset, "era")
