"""COPA: which of two sentences is the cause, or the effect?"""

from __future__ import annotations

from lm_jax.data.labelled import Form
from lm_jax.tasks import base


class Copa(base.LabelledTask):
  """Roemmele et al. 2011, of SuperGLUE (Wang et al. 2019); accuracy."""

  form = Form(
    fields={
      name: (name,) for name in ("premise", "question", "choice1", "choice2")
    },
    labels=("choice1", "choice2"),
    tfds="super_glue/copa",
  )
