"""Few parameters and many tokens, or the reverse, at equal FLOPs?

Command: python launch.py compare --experiment=shape
Cost: about 7 minutes on two cores.
Expected: Hoffmann et al. 2022 ("Training compute-optimal large language
models") find that parameters and tokens should grow alike, about 20 tokens a
parameter; so that at this budget even the default model of 410,000 parameters,
which reads 0.6 tokens for each, is too large, and one a fifth as large should
be best. Their smallest budget is a million times this one, and here the
vocabulary is most of the parameters; so the least loss may be flat between
widths 32 and 64, and width 128, which sees eighty steps, should be far behind.

Learning rates are the tuned one of width 64 times 64 / width (Yang et al. 2022,
"Tensor programs V", for the hidden matrices of Adam), and were not tuned
otherwise. Arms are clm: bits per byte are exact.
"""

from __future__ import annotations

import dataclasses

from lm_jax.config import Config

from .compare_objectives import COMMON, optimizer

BASELINE = "64x3"
SEEDS = 3
PRIMARY = "minimal_pairs"
SMALLEST_EFFECT = 3.0  # points
DIRECTION = "two-sided"
DIFFERS = ("parameters", "targets", "tokens", "positions", "epochs", "rate")
# Width and layers.
SHAPES = ((16, 2), (32, 2), (64, 3), (128, 4))


def runs() -> list[Config]:
  """One arm for each shape."""
  return [_arm(*shape) for shape in SHAPES]


def _arm(width: int, layers: int) -> Config:
  own = optimizer("clm")
  shape = {
    "width": width,
    "layers": layers,
    "heads": max(1, width // 32),
    "feedforward": 4 * width,
  }
  return dataclasses.replace(
    COMMON,
    objective="clm",
    optimizer=dataclasses.replace(
      own, learning_rate=own.learning_rate * 64 / width
    ),
    trunk=COMMON.trunk | shape,
    branches="",
    eval="final",
    arm=f"{width}x{layers}",
  )
