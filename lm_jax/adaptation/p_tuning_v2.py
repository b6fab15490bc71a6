"""Trains keys and values before every text (P-tuning v2)."""

from __future__ import annotations

import dataclasses

import flax.linen as nn
import numpy as np

from lm_jax.adaptation import _prefix, base
from lm_jax.adaptation._peft import Tensors
from lm_jax.models.dense import parameter
from lm_jax.types import Array, Trunk


class _Pair(nn.Module):
  """Trained keys and values, [P, G, K] each."""

  trunk: Trunk
  tokens: int

  @nn.compact
  def __call__(self) -> tuple[Array, Array]:
    groups, size = _prefix.sizes(self.trunk)
    shape, axes = (self.tokens, groups * size), (None, "kv_heads")
    normal = nn.initializers.normal(self.trunk.initializer_range)
    key, value = (
      _prefix.heads(parameter(self, name, normal, shape, axes), self.trunk)
      for name in ("key", "value")
    )
    return key, value


@dataclasses.dataclass(frozen=True)
class PTuningV2(_prefix.Prefix):
  """Trains P keys and values in each layer directly, without a network.

  Liu et al. 2022, section 3.
  """

  def prefix(self, trunk: Trunk, shared) -> tuple[Array, Array]:
    return _Pair(trunk, self.tokens, name=base.OWN)()

  def values(self, leaves: Tensors, layer: str) -> np.ndarray:
    own = f"{layer}.attention.{base.OWN}."
    return np.stack([leaves[own + x] for x in ("key", "value")], axis=1)
