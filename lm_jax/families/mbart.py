"""mBART (Liu et al. 2020), mBART-50 too."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import ClassVar

from lm_jax.families import _template
from lm_jax.families.bart import Bart
from lm_jax.types import Trunk


class MBart(Bart):
  """Transformers' MBartModel: a pre-norm BART, with a final norm."""

  title: ClassVar[str] = "mBART"
  starts_with_last: ClassVar[bool] = True
  model_types: ClassVar[tuple[str, ...]] = ("mbart",)
  template: ClassVar[_template.Template] = _template.TRANSLATION
  classes: ClassVar[Mapping[str, tuple[str, ...]]] = {
    name.replace("Bart", "MBart"): outputs
    for name, outputs in Bart.classes.items()
  }
  writes: ClassVar[tuple[str, ...]] = ()
  labels: ClassVar[int] = 2
  fixed: ClassVar[Trunk] = dataclasses.replace(Bart.fixed, norm_placement="pre")
