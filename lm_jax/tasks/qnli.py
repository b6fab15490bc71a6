"""Measures QNLI: does a sentence hold the answer to a question?"""

from lm_jax.examples.labelled import Form
from lm_jax.tasks import base


class Qnli(base.LabelledTask):
  """Rajpurkar et al. 2016, recast in GLUE (Wang et al. 2019); accuracy."""

  form = Form(
    fields={name: (name,) for name in ("question", "sentence")},
    labels=("entailment", "not_entailment"),
    tfds="glue/qnli",
  )
