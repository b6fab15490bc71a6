"""Which positions should a small model have, and can it do without?

Command: python launch.py compare --experiment=positions
Cost: about 7 minutes on two cores.
Expected: Haviv et al. 2022 ("Transformer language models without positional
encodings still learn positional information") find that a causal decoder needs
none: its mask tells how much stands before a token; an encoder
without positions sees a bag of words and fails. Su et al. 2021 (rotary) and
Press et al. 2022 (ALiBi) gain a little over learned positions, at far larger
budgets. So clm without positions should be a little behind, if at all, mlm
without them at chance where two words are swapped; and rotary and ALiBi, whose
near words are near from the first step, ahead of learned positions, which this
budget leaves half learned.

Bits per byte are exact for clm and decide between its arms with far less spread
than minimal pairs.
"""

from __future__ import annotations

import dataclasses

from lm_jax.config import Config

from .compare_objectives import COMMON, optimizer

BASELINE = "clm-rotary"
SEEDS = 3
PRIMARY = "minimal_pairs"
SMALLEST_EFFECT = 5.0  # points
DIRECTION = "two-sided"
# mlm predicts one token in seven, and reads more tokens for the same FLOPs; a
# table of learned positions is a few parameters more.
DIFFERS = (
  *("architecture", "parameters", "targets", "tokens", "positions", "epochs"),
)
ARMS = (
  *(("clm", "rotary"), ("clm", "learned"), ("clm", "alibi"), ("clm", "none")),
  *(("mlm", "rotary"), ("mlm", "none")),
)


def runs() -> list[Config]:
  """One arm for each objective and kind of positions."""
  return [
    dataclasses.replace(
      COMMON,
      objective=objective,
      optimizer=optimizer(objective),
      trunk=COMMON.trunk | {"positions": positions},
      branches="",
      eval="final",
      arm=f"{objective}-{positions}",
    )
    for objective, positions in ARMS
  ]
