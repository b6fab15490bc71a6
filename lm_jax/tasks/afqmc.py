"""Measures AFQMC: do two questions to a bank ask the same?"""

from lm_jax.examples.labelled import Form
from lm_jax.tasks import _labels, base


class Afqmc(base.LabelledTask):
  """Ant Financial's questions, of CLUE (Xu et al. 2020); accuracy.

  Chinese BabyLM's pipeline gives F1 of "equivalent" and Matthews' correlation,
  too.
  """

  form = Form(
    fields={name: (name,) for name in ("sentence1", "sentence2")},
    labels=("not_equivalent", "equivalent"),
    tfds="huggingface:clue__clue/afqmc",
  )

  def metrics(self, predicted, right):
    return {
      "f1": _labels.f1(predicted, right, "equivalent"),
      "matthews": _labels.matthews(predicted, right, self.form.labels),
    }
