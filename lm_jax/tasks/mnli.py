"""Measures MNLI: does a hypothesis follow, contradict, or neither?"""

from __future__ import annotations

import pathlib

from lm_jax.examples import files, labelled
from lm_jax.examples.labelled import TEST, TRAIN, Example, Form
from lm_jax.tasks import _labels, base

MISMATCHED = ("dev_mismatched", "validation_mismatched")


class Mnli(base.LabelledTask):
  """Williams et al. 2018, of GLUE; accuracy on the matched genres.

  If there are mismatched ones too, a fine-tuned model answers them, which gives
  mismatched_accuracy.
  """

  form = Form(
    fields=_labels.ENTAILMENT,
    label=("label", "gold_label"),
    labels=("entailment", "neutral", "contradiction"),
    tfds="glue/mnli",
    splits={TRAIN: "train", TEST: "validation_matched"},
    names={TEST: ("dev_matched", "validation_matched")},
  )

  def others(self, place: str = "") -> dict[str, list[Example]]:
    if not place:
      flag = f"--task={self.name}"
      examples = labelled.from_tfds(self.form, flag, TEST, MISMATCHED[1])
      return {"mismatched": examples}
    path = files.first(mismatched(place))
    return {"mismatched": labelled.from_path(self.form, path)} if path else {}


def mismatched(place: str) -> list[pathlib.Path]:
  """Lists the paths that a file of the mismatched genres may have."""
  return files.named(place, MISMATCHED, labelled.SUFFIXES)
