"""Measures a task of MultiBabyLM on one text, by fine-tuning."""

from lm_jax.examples.labelled import Form
from lm_jax.tasks import base


class BabylmSentence(base.LabelledTask):
  """BabyLM 2026's arc, belebele, bmlama, include, sib200, ...; accuracy.

  The choices are in the text ("A: ...") and the label is a letter or a topic;
  labels are those that are trained on, as in its script.
  """

  form = Form(fields={"sentence": ("sentence",)})
