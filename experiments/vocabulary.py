"""How large should the vocabulary of a small model be?

Command: python launch.py compare --experiment=vocabulary
Cost: about 7 minutes on two cores.
Expected: Tao et al. 2024 ("Scaling laws with vocabulary: larger models deserve
larger vocabularies") find that the best vocabulary grows with the budget,
more slowly than the rest of the model does. Here the table of 4,096 tokens is
nearly two thirds of the parameters, and its logits about as much of clm's
FLOPs; so that a smaller one reads more text for the same FLOPs, in shorter
tokens. Between 1,024 and 4,096 should be best, and 8,192, of which many tokens
are hardly ever seen, worst.

Losses per token do not compare between vocabularies. Bits per byte do, which
are exact for clm; and so do minimal pairs, which are sentences. A row of 128
tokens holds less text where tokens are short.
"""

from __future__ import annotations

import dataclasses

from lm_jax.config import Config

from .compare_objectives import COMMON, optimizer

BASELINE = "4096"
SEEDS = 3
PRIMARY = "minimal_pairs"
SMALLEST_EFFECT = 3.0  # points
DIRECTION = "two-sided"
DIFFERS = ("parameters", "targets", "tokens", "positions", "epochs")
SIZES = (512, 1024, 2048, 4096, 8192)


def runs() -> list[Config]:
  """One arm for each size."""
  return [
    dataclasses.replace(
      COMMON,
      objective="clm",
      optimizer=optimizer("clm"),
      data=dataclasses.replace(COMMON.data, vocabulary_size=size),
      branches="",
      eval="final",
      arm=f"{size}",
    )
    for size in SIZES
  ]
