"""Measures RTE: does a hypothesis follow from a premise?"""

from lm_jax.examples.labelled import Form
from lm_jax.tasks import _labels, base


class Rte(base.LabelledTask):
  """Dagan et al. 2006 and later, of GLUE; accuracy."""

  form = Form(
    fields=_labels.ENTAILMENT,
    labels=("entailment", "not_entailment"),
    tfds="glue/rte",
  )
