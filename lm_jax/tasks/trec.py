"""Measures TREC: the kind of answer that a question asks for."""

from lm_jax.examples.labelled import Form
from lm_jax.tasks import base


class Trec(base.LabelledTask):
  """Li and Roth 2002, the six coarse classes; accuracy."""

  form = Form(
    fields={"text": ("text",)},
    label=("label-coarse", "label"),
    labels=("DESC", "ENTY", "ABBR", "HUM", "LOC", "NUM"),
    tfds="trec",
    splits={"train": "train", "test": "test"},
  )
