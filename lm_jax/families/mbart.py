"""mBART (Liu et al. 2020), mBART-50 too."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import ClassVar

from lm_jax.families import _template
from lm_jax.families.bart import Bart


class MBart(Bart):
  """Transformers' MBartModel: a pre-norm BART, with a final norm."""

  title = "mBART"
  starts_with_last = True
  model_types = ("mbart",)
  template = _template.TRANSLATION
  classes: ClassVar[Mapping[str, tuple[str, ...]]] = {
    name.replace("Bart", "MBart"): outputs
    for name, outputs in Bart.classes.items()
  }
  writes = ()
  labels = 2
  fixed = dataclasses.replace(Bart.fixed, norm_placement="pre")
