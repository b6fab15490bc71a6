"""Prepends trained keys and values to every text, in each layer."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from lm_jax.adaptation import _peft, base
from lm_jax.adaptation._peft import Fields, Module, Tensors
from lm_jax.support.errors import UsageError
from lm_jax.types import Array, Stream, Trunk


@dataclasses.dataclass(frozen=True)
class Prefix(base.Adaptation):
  """Shares code of prefix tuning and P-tuning v2.

  The self-attention of each layer, in encoder and decoder, sees P more keys and
  values, which have no position. As in the released code of both, positions of
  texts are shifted by P; where positions are distances, the shift and the bias
  of the prefix are 0.
  """

  apart = "its keys and values come from no token"

  tokens: int = base.option(20, "number of tokens of the prefix", least=1)

  @property
  def ahead(self) -> int:
    return self.tokens

  def check(self, trunk: Trunk) -> None:
    if trunk.positions == "xlnet":
      raise UsageError(
        f"--adapt.method={self.name}: the attention of XLNet"
        " (--trunk.positions=xlnet) scores keys by their distance, and a prefix"
        " has none; soft_prompt has"
      )

  def add_prompt(
    self, trunk: Trunk, inputs: Stream, source: Stream | None
  ) -> tuple[Stream, Stream | None]:
    if source is not None:
      source = base.moved(source, self.tokens)
    return base.moved(inputs, self.tokens), source

  def extend_prompt(self, trunk: Trunk, inputs: Stream) -> Stream:
    return base.moved(inputs, self.tokens)

  def values(self, leaves: Tensors, layer: str) -> np.ndarray:
    """Returns keys and values [P, 2, G * K] of a layer, given its path."""
    raise NotImplementedError

  def peft(
    self, leaves: Tensors, modules: Sequence[Module], trunk: Trunk
  ) -> tuple[Fields, Tensors]:
    """Exports keys and values of all layers, with any network applied."""
    if trunk.architecture != "causal_decoder":
      raise UsageError(
        "--adapter: PEFT has such prefixes for causal decoders, and not for a"
        f" model with the architecture {trunk.architecture}"
      )
    layers = [
      self.values(leaves, f"stack_main.blocks.layer_{number}")
      for number in trunk.sharing or range(trunk.layers)
    ]
    groups, size = sizes(trunk)
    fields = {
      **_peft.prompt(trunk, self.tokens),
      "peft_type": "PREFIX_TUNING",
      "prefix_projection": False,
      "num_attention_heads": groups,
      "token_dim": groups * size,
      "encoder_hidden_size": groups * size,
    }
    stacked_PxM = np.stack(layers, axis=1).reshape(self.tokens, -1)
    return fields, {"prompt_embeddings": stacked_PxM}


def sizes(trunk: Trunk) -> tuple[int, int]:
  """Returns G and K: heads of the keys and values, and the width of each."""
  size = trunk.head_width or trunk.width // trunk.heads
  return trunk.kv_heads or trunk.heads, size


def heads(x_PxE: Array, trunk: Trunk) -> Array:
  """Reshapes [P, G * K] to [P, G, K] in the compute dtype."""
  return x_PxE.astype(trunk.dtype).reshape(-1, *sizes(trunk))
