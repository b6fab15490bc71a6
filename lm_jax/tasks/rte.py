"""Measures RTE: does a hypothesis follow from a premise?"""

from __future__ import annotations

from lm_jax.examples.labelled import Form
from lm_jax.tasks import base


class Rte(base.LabelledTask):
  """Dagan et al. 2006 and later, of GLUE; accuracy."""

  form = Form(
    fields={
      "premise": ("premise", "sentence1"),
      "hypothesis": ("hypothesis", "sentence2"),
    },
    labels=("entailment", "not_entailment"),
    tfds="glue/rte",
  )
