"""Measures QQP: do two questions ask the same?"""

from lm_jax.examples.labelled import Form
from lm_jax.tasks import _labels, base


class Qqp(base.LabelledTask):
  """Quora Question Pairs, of GLUE; accuracy and F1 of "duplicate"."""

  form = Form(
    fields={name: (name,) for name in ("question1", "question2")},
    label=("label", "is_duplicate"),
    labels=("not_duplicate", "duplicate"),
    tfds="glue/qqp",
  )

  def metrics(self, predicted, right):
    return {"f1": _labels.f1(predicted, right, "duplicate")}
