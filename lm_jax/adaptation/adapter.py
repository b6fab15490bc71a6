"""Adds small networks after attention and feed-forward (adapters)."""

from __future__ import annotations

import dataclasses
from typing import Literal

import flax.linen as nn

from lm_jax.adaptation import base
from lm_jax.models.dense import parameter
from lm_jax.models.layers import ACTIVATIONS
from lm_jax.types import Array, Trunk

PARTS = ("attention", "feedforward")
# Houlsby et al. 2019, section 3.6: truncated at two standard deviations.
_DEVIATION = 1e-2


class _Linear(nn.Module):
  """Linear layer x W + b, initially near 0."""

  features: int
  axes: tuple[str | None, str | None]
  dtype: str

  @nn.compact
  def __call__(self, x_NxI: Array) -> Array:
    near = nn.initializers.truncated_normal(_DEVIATION)
    shape = (x_NxI.shape[-1], self.features)
    kernel_IxO = parameter(self, "kernel", near, shape, self.axes)
    zeros = nn.initializers.zeros
    bias_O = parameter(self, "bias", zeros, (self.features,), self.axes[1:])
    y_NxO = x_NxI.astype(self.dtype) @ kernel_IxO.astype(self.dtype)
    return y_NxO + bias_O.astype(self.dtype)


class Bottleneck(nn.Module):
  """Bottleneck y + f(y W + b) W' + b': [N, D] -> [N, D]."""

  size: int
  activation: str
  dtype: str

  @nn.compact
  def __call__(self, y_NxD: Array) -> Array:
    low_NxR = _Linear(self.size, ("embed", None), self.dtype, name="down")(
      y_NxD
    )
    low_NxR = ACTIVATIONS[self.activation](low_NxR)
    width = y_NxD.shape[-1]
    return y_NxD + _Linear(width, (None, "embed"), self.dtype, name="up")(
      low_NxR
    )


@dataclasses.dataclass(frozen=True)
class Adapter(base.Adaptation):
  """Sequential bottlenecks with a skip connection.

  Houlsby et al. 2019, section 2.1: one after attention (of either kind) and one
  after the feed-forward network, each before its part is added to the states.
  All parameters start near 0, so that it starts near the identity. Norms are
  fixed; the paper trains them.
  """

  apart = "its networks have a non-linearity"

  size: int = base.option(64, "width of the bottlenecks", least=1)
  parts: tuple[str, ...] = base.option(
    PARTS, "parts followed by a bottleneck: attention, feedforward"
  )
  activation: Literal["gelu", "gelu_tanh", "relu", "silu", "tanh"] = (
    base.option("gelu", "activation function of the bottlenecks")
  )

  def check(self, trunk: Trunk) -> None:
    base.require_names("parts", self.parts, PARTS)

  def added(self, trunk: Trunk, part: str, y_NxD: Array) -> Array:
    if part.removeprefix("cross_") not in self.parts:
      return y_NxD
    layer = Bottleneck(
      self.size, self.activation, trunk.dtype, name=f"{part}_{base.OWN}"
    )
    return layer(y_NxD)
