"""Measures a task of MultiBabyLM on two texts, by fine-tuning."""

from lm_jax.examples.labelled import Form
from lm_jax.tasks import _labels, base


class BabylmPair(base.LabelledTask):
  """BabyLM 2026's mnli, xnli and xcopa; accuracy.

  Labels are those that are trained on, in the language of the data, as in its
  script.
  """

  form = Form(fields=_labels.ENTAILMENT)
