"""Measures BoolQ: yes-no questions about a passage."""

from lm_jax.examples.labelled import Form
from lm_jax.tasks import base


class Boolq(base.LabelledTask):
  """Clark et al. 2019, of SuperGLUE (Wang et al. 2019); accuracy."""

  form = Form(
    fields={name: (name,) for name in ("passage", "question")},
    label=("label", "answer"),
    labels=("False", "True"),
    spellings={"false": "False", "true": "True", "no": "False", "yes": "True"},
    tfds="super_glue/boolq",
  )
