"""Measures MNLI on genres that are not in its training set."""

from __future__ import annotations

from lm_jax.examples import files
from lm_jax.examples.labelled import TEST, Example
from lm_jax.tasks import base
from lm_jax.tasks.mnli import Mnli, mismatched


class MnliMismatched(base.LabelledTask):
  """Williams et al. 2018, of GLUE; accuracy on the mismatched genres.

  Models that were fine-tuned for mnli answer it.
  """

  answered_by = "mnli"
  form = Mnli.form

  def examples(self, split: str, place: str = "") -> list[Example]:
    if split != TEST:
      return Mnli().examples(split, place)
    if place:
      files.need(mismatched(place), f"--task_data={self.name}={place}")
    return Mnli().others(place)["mismatched"]
