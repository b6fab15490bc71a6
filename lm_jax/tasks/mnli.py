"""MNLI: does a hypothesis follow, contradict, or neither?"""

from __future__ import annotations

from lm_jax.data.labelled import Form
from lm_jax.tasks import base


class Mnli(base.LabelledTask):
  """Williams et al. 2018, of GLUE; accuracy on the matched genres."""

  form = Form(
    fields={"premise": ("premise",), "hypothesis": ("hypothesis",)},
    labels=("entailment", "neutral", "contradiction"),
    tfds="glue/mnli",
    splits={"train": "train", "test": "validation_matched"},
  )
