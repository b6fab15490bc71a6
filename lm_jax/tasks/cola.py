"""Measures CoLA: is an English sentence acceptable?"""

from lm_jax.examples.labelled import Form
from lm_jax.tasks import _labels, base


class Cola(base.LabelledTask):
  """Warstadt et al. 2019, of GLUE; Matthews correlation."""

  primary = "matthews"
  former_primary = "accuracy"

  form = Form(
    fields={"text": ("sentence", "text")},
    labels=("unacceptable", "acceptable"),
    tfds="glue/cola",
    columns=("source", "label", "star", "sentence"),
  )

  def metrics(self, predicted, right):
    matthews = _labels.matthews(predicted, right, self.form.labels)
    return {"matthews": matthews}
