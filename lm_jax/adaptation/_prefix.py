"""Keys and values in front of every text, in each layer."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from lm_jax.adaptation import base
from lm_jax.types import Array, Stream, Trunk, UsageError


@dataclasses.dataclass(frozen=True)
class Prefix(base.Adaptation):
  """What prefix tuning and P-tuning v2 have in common.

  The self-attention of each layer, of an encoder and of a decoder, sees P keys
  and values more, which carry no position. As in the released code of both,
  texts stand P positions further behind; where positions are distances, that
  and the bias of the prefix are 0.
  """

  apart: ClassVar[str] = "its keys and values come from no token"

  tokens: int = base.option(20, "of the prefix")

  @property
  def ahead(self) -> int:
    return self.tokens

  def check(self, trunk: Trunk) -> None:
    base.require("tokens", self.tokens, 1)
    if trunk.positions == "xlnet":
      raise UsageError(
        f"--adapt.method={self.name}: the attention of XLNet"
        " (--trunk.positions=xlnet) scores keys by their distance, and a prefix"
        " has none; soft_prompt has"
      )

  def lay_out(
    self, trunk: Trunk, inputs: Stream, source: Stream | None
  ) -> tuple[Stream, Stream | None]:
    if source is not None:
      source = base.moved(source, self.tokens)
    return base.moved(inputs, self.tokens), source

  def go_on(self, trunk: Trunk, inputs: Stream) -> Stream:
    return base.moved(inputs, self.tokens)


def sizes(trunk: Trunk) -> tuple[int, int]:
  """G and K: heads of the keys and values, and the width of each."""
  size = trunk.head_width or trunk.width // trunk.heads
  return trunk.kv_heads or trunk.heads, size


def heads(x_PxE: Array, trunk: Trunk) -> Array:
  """[P, G * K] -> [P, G, K] in the compute dtype."""
  return x_PxE.astype(trunk.dtype).reshape(-1, *sizes(trunk))
