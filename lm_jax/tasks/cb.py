"""Measures CB: does an embedded clause follow from a text?"""

from lm_jax.examples.labelled import Form
from lm_jax.tasks import _labels, base


class Cb(base.LabelledTask):
  """CommitmentBank (de Marneffe et al. 2019), of SuperGLUE.

  Accuracy, and F1 (macro): classes are far from equally frequent.
  """

  form = Form(
    fields={name: (name,) for name in ("premise", "hypothesis")},
    labels=("entailment", "contradiction", "neutral"),
    tfds="super_glue/cb",
  )

  def metrics(self, predicted, right):
    return {"f1": _labels.macro_f1(predicted, right, self.form.labels)}
