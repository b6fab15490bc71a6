"""Trains a network that makes keys and values before every text."""

from __future__ import annotations

import dataclasses
import functools

import flax.linen as nn
import jax.numpy as jnp
import numpy as np

from lm_jax.adaptation import _prefix, base
from lm_jax.adaptation._peft import Tensors
from lm_jax.models.dense import dense, parameter
from lm_jax.types import Array, Trunk

_dense = functools.partial(dense, bias=True, adaptation=None)


class _Hidden(nn.Module):
  """Hidden layer tanh(P' W + b) [P, hidden] of a stack."""

  trunk: Trunk
  tokens: int
  hidden: int

  @nn.compact
  def __call__(self) -> Array:
    trunk = self.trunk
    normal = nn.initializers.normal(trunk.initializer_range)
    shape, axes = (self.tokens, trunk.width), (None, "embed")
    embedding_PxD = parameter(self, "embedding", normal, shape, axes)
    layer = _dense(trunk, self.hidden, ("embed", None), "down")
    return jnp.tanh(layer(embedding_PxD))


class _Pair(nn.Module):
  """Keys and values [P, G, K] of a layer, computed from the hidden layer."""

  trunk: Trunk

  @nn.compact
  def __call__(self, hidden_PxM: Array) -> tuple[Array, Array]:
    groups, size = _prefix.sizes(self.trunk)
    layers = (
      _dense(self.trunk, groups * size, (None, "kv_heads"), name)
      for name in ("key", "value")
    )
    key, value = (_prefix.heads(x(hidden_PxM), self.trunk) for x in layers)
    return key, value


@dataclasses.dataclass(frozen=True)
class PrefixTuning(_prefix.Prefix):
  """Computes keys and values of all layers as W2 tanh(W1 P' + b1) + b2.

  Li and Liang 2021, section 4.3: P' has a vector for each token of the prefix,
  and one network computes the prefixes of all layers of a stack. The network is
  trained and saved. Cross-attention has no prefix.
  """

  hidden: int = base.option(512, "width of the network's hidden layer", least=1)

  def shared(self, trunk: Trunk) -> Array:
    return _Hidden(trunk, self.tokens, self.hidden, name=base.OWN)()

  def prefix(self, trunk: Trunk, shared: Array) -> tuple[Array, Array]:
    return _Pair(trunk, name=base.OWN)(shared)

  def values(self, leaves: Tensors, layer: str) -> np.ndarray:
    def linear(x: np.ndarray, place: str) -> np.ndarray:
      return x @ leaves[f"{place}.kernel"] + leaves[f"{place}.bias"]

    own = f"{layer.rpartition('.')[0]}.{base.OWN}"
    hidden_PxM = np.tanh(linear(leaves[f"{own}.embedding"], f"{own}.down"))
    place = f"{layer}.attention.{base.OWN}."
    return np.stack(
      [linear(hidden_PxM, place + x) for x in ("key", "value")], axis=1
    )
