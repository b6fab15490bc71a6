"""Measures MNLI on genres that are not in its training set."""

from __future__ import annotations

from lm_jax.examples import labelled
from lm_jax.examples.labelled import TEST, Example
from lm_jax.support.errors import UsageError
from lm_jax.tasks import base
from lm_jax.tasks.mnli import MISMATCHED, Mnli


class MnliMismatched(base.LabelledTask):
  """Williams et al. 2018, of GLUE; accuracy on the mismatched genres.

  Models that were fine-tuned for mnli answer it.
  """

  answered_by = "mnli"
  form = Mnli.form

  def examples(self, split: str, place: str = "") -> list[Example]:
    task = Mnli()
    if split != TEST:
      return task.examples(split, place)
    sets = task.others(place)
    if not sets:
      tried = ", ".join(map(str, labelled.paths(place, MISMATCHED)))
      raise UsageError(
        f"--task_data={self.name}={place}: no such file; tried {tried}"
      )
    return sets["mismatched"]
