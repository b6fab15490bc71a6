"""Measures the era of a passage of the embedded corpus."""

from __future__ import annotations

from lm_jax.examples import passages
from lm_jax.examples.labelled import Form
from lm_jax.tasks import _probe, base


class Era(base.LabelledTask):
  """One of four eras; chance is one in four.

  Without shots it is a linear probe on frozen features; with shots the model is
  asked.
  """

  form = Form(fields={"text": ("text",)}, labels=passages.LABELS["era"])

  def examples(self, split, place=""):
    if place:
      return super().examples(split, place)
    return _probe.examples("era", self.form, split)

  def measure(self, scorer, dataset, quick=False) -> base.Measure:
    return _probe.measure(scorer, dataset, "era", self.limit, self.seed)
