"""Trains only the model's biases (BitFit)."""

from __future__ import annotations

import dataclasses

from lm_jax.adaptation import base
from lm_jax.support.errors import UsageError
from lm_jax.types import Trunk


@dataclasses.dataclass(frozen=True)
class BitFit(base.Adaptation):
  """Trains all biases: of projections, norms and the output.

  Ben Zaken et al. 2022. T5's biases by distance do not count as biases.
  """

  merges = True

  def check(self, trunk: Trunk) -> None:
    normed = trunk.norm == "layernorm" and trunk.norm_bias
    if not (trunk.bias or trunk.bias_except or normed):
      raise UsageError(
        "--adapt.method=bitfit: the model has no biases (--trunk.bias=false,"
        f" --trunk.norm={trunk.norm})"
      )

  def trains(self, name: str) -> bool:
    return super().trains(name) or name.rpartition(".")[2] == "bias"
