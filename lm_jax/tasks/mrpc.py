"""Measures MRPC: do two sentences say the same?"""

from lm_jax.examples.labelled import Form
from lm_jax.tasks import _labels, base


class Mrpc(base.LabelledTask):
  """Dolan and Brockett 2005, of GLUE; accuracy and F1 of "equivalent"."""

  form = Form(
    fields={
      "sentence1": ("sentence1", "s1", "#1 String"),
      "sentence2": ("sentence2", "s2", "#2 String"),
    },
    labels=("not_equivalent", "equivalent"),
    label=("label", "Quality"),
    tfds="glue/mrpc",
  )

  def metrics(self, predicted, right):
    return {"f1": _labels.f1(predicted, right, "equivalent")}
