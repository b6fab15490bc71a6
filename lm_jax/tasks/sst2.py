"""Measures SST-2: is a sentence of a film review positive or negative?"""

from lm_jax.examples.labelled import Form
from lm_jax.tasks import base


class Sst2(base.LabelledTask):
  """Socher et al. 2013, of GLUE (Wang et al. 2019); accuracy."""

  form = Form(
    fields={"text": ("sentence", "text")},
    labels=("negative", "positive"),
    tfds="glue/sst2",
  )
