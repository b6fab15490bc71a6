"""Dense layers, and parameters with logical axes."""

from __future__ import annotations

from typing import Any

import flax.linen as nn
import jax.numpy as jnp

from lm_jax.models import products
from lm_jax.types import Array, Trunk

# Names in Trunk.bias_except of the projections of a layer.
GROUPS = {
  "query": "qkv",
  "key": "qkv",
  "value": "qkv",
  "out": "out",
  "up": "up",
  "gate": "up",
  "down": "down",
}


def parameter(module, name, initializer, shape, axes) -> Array:
  """Declares a float32 parameter with logical axis names."""
  boxed = nn.with_logical_partitioning(initializer, axes)
  return module.param(name, boxed, shape, jnp.float32)


class Dense(nn.Module):
  """Linear layer x W + b, flat: [N, in] -> [N, out].

  adaptation: may replace x W; None does not.
  """

  features: int
  axes: tuple[str | None, str | None]
  bias: bool
  dtype: str
  initializer_range: float
  adaptation: Any = None

  @nn.compact
  def __call__(self, x_NxI: Array) -> Array:
    kernel_IxO = parameter(
      self,
      "kernel",
      nn.initializers.normal(self.initializer_range),
      (x_NxI.shape[-1], self.features),
      self.axes,
    )
    y_NxO = products.product(
      x_NxI.astype(self.dtype), kernel_IxO.astype(self.dtype)
    )
    if self.adaptation is not None:
      y_NxO = self.adaptation.projected(self, x_NxI, kernel_IxO, y_NxO)
    if self.bias:
      bias_O = parameter(
        self, "bias", nn.initializers.zeros, (self.features,), self.axes[1:]
      )
      y_NxO = y_NxO + bias_O.astype(self.dtype)
    return y_NxO


def dense(trunk: Trunk, features: int, axes, name: str, **kwargs) -> Dense:
  """Makes a projection with the trunk's options."""
  excepted = GROUPS.get(name) in trunk.bias_except
  kwargs.setdefault("bias", trunk.bias != excepted)
  kwargs.setdefault("initializer_range", trunk.initializer_range)
  kwargs.setdefault("adaptation", trunk.adaptation)
  return Dense(features, axes, dtype=trunk.dtype, name=name, **kwargs)
