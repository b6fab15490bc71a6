"""Does span corruption do better with an encoder and a decoder, or with one?

Command: python launch.py compare --experiment=architecture
Cost: about 5 minutes on two cores.
Expected: Raffel et al. 2020 ("Exploring the limits of transfer learning",
table 2) find the encoder-decoder ahead of a prefix LM of the same cost, and
that ahead of a causal one. They compare a decoder of L layers with an encoder
and a decoder of L layers each: twice the parameters, about the same FLOPs,
since each token passes one of the two. So it is here; the table has both
figures.
"""

from __future__ import annotations

import dataclasses

from lm_jax.config import Config
from lm_jax.types import Architecture

from .compare_objectives import COMMON

BASELINE = "prefix_decoder"
SEEDS = 3
# The docstring says why; each reads what its cost leaves.
DIFFERS = ("parameters", "targets", "tokens", "positions", "epochs")
ARCHITECTURES: tuple[Architecture, ...] = (
  "prefix_decoder",
  "causal_decoder",
  "encoder_decoder",
)


def runs() -> list[Config]:
  """One arm for each architecture."""
  return [
    dataclasses.replace(
      COMMON, objective="span_corruption", architecture=name, arm=name
    )
    for name in ARCHITECTURES
  ]
