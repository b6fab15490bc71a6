"""mT5 (Xue et al. 2021)."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar

from lm_jax.families._fields import Fields
from lm_jax.families.t5 import T5
from lm_jax.types import Trunk


class MT5(T5):
  """Transformers' MT5Model: T5 1.1, with its own defaults.

  Its states are never divided before the vocabulary, and what its
  configurations say of ties means nothing: the file tells.
  """

  title = "mT5"
  model_types = ("mt5",)
  classes: ClassVar[Mapping[str, tuple[str, ...]]] = {
    f"M{name}": outputs
    for name, outputs in T5.classes.items()
    if name != "T5WithLMHeadModel"
  }
  base_classes = tuple(f"M{name}" for name in T5.base_classes)
  encoders = tuple(f"M{name}" for name in T5.encoders)
  writes = ()

  defaults: ClassVar[Mapping[str, Any]] = {
    "vocab_size": 250112,
    "d_ff": 1024,
    "num_layers": 8,
    "num_heads": 6,
    "feed_forward_proj": "gated-gelu",
  }

  def trunk(self, fields: Fields) -> Trunk:
    return dataclasses.replace(super().trunk(fields), output_scaling=False)
