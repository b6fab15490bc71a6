"""Measures MNLI: does a hypothesis follow, contradict, or neither?"""

from __future__ import annotations

from lm_jax.examples import labelled
from lm_jax.examples.labelled import TEST, TRAIN, Example, Form
from lm_jax.tasks import base

MISMATCHED = ("dev_mismatched", "validation_mismatched")


class Mnli(base.LabelledTask):
  """Williams et al. 2018, of GLUE; accuracy on the matched genres.

  If there are mismatched ones too, a fine-tuned model answers them, which gives
  mismatched_accuracy.
  """

  form = Form(
    fields={
      "premise": ("premise", "sentence1"),
      "hypothesis": ("hypothesis", "sentence2"),
    },
    label=("label", "gold_label"),
    labels=("entailment", "neutral", "contradiction"),
    tfds="glue/mnli",
    splits={TRAIN: "train", TEST: "validation_matched"},
    names={TEST: ("dev_matched", "validation_matched")},
  )

  def others(self, place: str = "") -> dict[str, list[Example]]:
    if not place:
      flag = f"--task={self.name}"
      source = labelled.tfds_records("glue/mnli", MISMATCHED[1], flag)
      return {
        "mismatched": [
          self.form.example(record, str(number), where)
          for number, (where, record) in enumerate(source)
        ]
      }
    files = [p for p in labelled.paths(place, MISMATCHED) if p.is_file()]
    if not files:
      return {}
    return {"mismatched": labelled.from_path(self.form, files[0])}
