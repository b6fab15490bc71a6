"""Adds products of two thin matrices to projections: LoRA and DoRA."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import ClassVar

import flax.linen as nn
import jax
import jax.numpy as jnp

from lm_jax.adaptation import _peft, base
from lm_jax.adaptation._peft import Fields, Module, Tensors
from lm_jax.adaptation.base import Leaves
from lm_jax.models.dense import GROUPS, parameter
from lm_jax.models.layers import GATED
from lm_jax.types import Array, Trunk

DOWN, UP, SCALE = "down.kernel", "up.kernel", "magnitude.scale"
# A is drawn from U(-1, 1) / sqrt(in), as in the released code of LoRA.
_FLAT = nn.initializers.variance_scaling(1 / 3, "fan_in", "uniform")


class Matrix(nn.Module):
  """A parameter in its own folder, so that optimizers recognize its name."""

  @nn.compact
  def __call__(self, name, initializer, shape, axes) -> Array:
    return parameter(self, name, initializer, shape, axes)


class Update(nn.Module):
  """Low-rank update x A B alpha / rank of a projection: [N, in] -> [N, out].

  magnitude: whether each output has a magnitude (DoRA).
  """

  rank: int
  alpha: float
  dropout: float
  magnitude: bool

  @nn.compact
  def __call__(self, dense, x_NxI: Array, kernel_IxO: Array, y_NxO: Array):
    into, out = kernel_IxO.shape
    a_IxR = Matrix(name="down")(
      "kernel", _FLAT, (into, self.rank), (dense.axes[0], None)
    )
    b_RxO = Matrix(name="up")(
      "kernel", nn.initializers.zeros, (self.rank, out), (None, dense.axes[1])
    )
    scale = self.alpha / self.rank
    x_NxI = x_NxI.astype(dense.dtype)
    if self.dropout:
      x_NxI = nn.Dropout(self.dropout, deterministic=False)(x_NxI)
    low_NxR = x_NxI @ a_IxR.astype(dense.dtype)
    update_NxO = low_NxR @ b_RxO.astype(dense.dtype)
    y_NxO = y_NxO + update_NxO * jnp.asarray(scale, update_NxO.dtype)
    if not self.magnitude:
      return y_NxO
    size_O = Matrix(name="magnitude")(
      "scale", nn.initializers.ones, (out,), dense.axes[1:]
    )
    # No gradient flows through the norm (Liu et al. 2024, section 4.3).
    whole_IxO = jax.lax.stop_gradient(kernel_IxO + scale * (a_IxR @ b_RxO))
    share_O = size_O / _norms(whole_IxO)[0]
    return y_NxO * share_O.astype(y_NxO.dtype)


@dataclasses.dataclass(frozen=True)
class LowRank(base.Adaptation):
  """Shares code of LoRA and DoRA."""

  merges = True
  # Whether each output has a trained magnitude.
  magnitude: ClassVar[bool] = False

  rank: int = base.option(8, "rank: columns of A and rows of B", least=1)
  alpha: float = base.option(
    16.0, "scale of the update, which is x A B alpha / rank", above=0
  )
  targets: tuple[str, ...] = base.option(
    ("query", "value"),
    "projections to adapt: query, key, value, out (of attention), up, gate,"
    " down (of the feed-forward network)",
  )
  dropout: float = base.option(
    0.0, "dropout rate on the input of the update", least=0, below=1
  )

  def check(self, trunk: Trunk) -> None:
    gated = trunk.activation in GATED
    valid = [name for name in GROUPS if gated or name != "gate"]
    base.require_names("targets", self.targets, valid)

  def projected(self, dense, x_NxI, kernel_IxO, y_NxO: Array) -> Array:
    if dense.name not in self.targets:
      return y_NxO
    layer = Update(
      self.rank, self.alpha, self.dropout, self.magnitude, name=base.OWN
    )
    return layer(dense, x_NxI, kernel_IxO, y_NxO)

  def merged(self, leaves: Leaves) -> Leaves:
    """Computes W + A B alpha / rank; DoRA scales its columns to length m."""
    kernels = {f"{x}kernel": self._whole(leaves, x) for x in places(leaves)}
    return super().merged(leaves) | kernels

  def _whole(self, leaves: Leaves, place: str) -> Array:
    """Computes the merged kernel [in, out], or [layers, in, out] of a scan."""
    own = f"{place}{base.OWN}."
    with jax.default_matmul_precision("highest"):
      product = leaves[own + DOWN] @ leaves[own + UP]
    kernel = leaves[f"{place}kernel"] + product * (self.alpha / self.rank)
    if own + SCALE not in leaves:
      return kernel
    return kernel / _norms(kernel) * leaves[own + SCALE][..., None, :]

  def peft(
    self, leaves: Tensors, modules: Sequence[Module], trunk: Trunk
  ) -> tuple[Fields, Tensors]:
    updates = {}
    for place in places(leaves):
      own = f"{place}{base.OWN}."
      updates[place] = _peft.Update(
        leaves[own + DOWN], leaves[own + UP], leaves.get(own + SCALE)
      )
    every = {place for module in modules for place in module.places}
    kernels = {place: leaves[f"{place}kernel"] for place in every}
    scale = self.alpha / self.rank
    fields, tensors = _peft.low_rank(updates, kernels, modules, scale)
    return {**fields, "lora_dropout": self.dropout}, tensors


def _norms(kernel: Array) -> Array:
  """Computes the norm of each column, [..., 1, out]; 1 if the norm is 0.

  The magnitude of such a column is 0.
  """
  norm = jnp.linalg.norm(kernel, axis=-2, keepdims=True)
  return jnp.where(norm > 0, norm, 1)


def places(leaves: Mapping[str, Array]) -> list[str]:
  """Lists the paths of the adapted projections: "...query."."""
  end = f"{base.OWN}.{DOWN}"
  return [name.removesuffix(end) for name in leaves if name.endswith(end)]
