"""How many of the tokens should a masked language model hide?

Command: python launch.py compare --experiment=masking_rate
Cost: about 11 minutes on two cores.
Expected: 15 % (BERT) is not the best; Wettig et al. 2023 ("Should you mask 15%
in masked language modeling?") find 40 % better at the size of
BERT-large, and that smaller models prefer less. At this budget 15 % to 40 %
should be hard to tell apart, and 5 %, which learns from few tokens, and 80 %,
which leaves little to read, should lose.

Arms are trained with different rates and so their losses do not compare;
minimal pairs, scored one masked word at a time, do.
"""

from __future__ import annotations

import dataclasses

from lm_jax.config import Config

from .compare_objectives import COMMON

BASELINE = "rate0.15"
SEEDS = 5
PRIMARY = "minimal_pairs"
SMALLEST_EFFECT = 5.0  # points; seeds of mlm alone differ by as much
DIRECTION = "two-sided"
# Who hides less predicts less, for more or fewer tokens at the same FLOPs.
DIFFERS = ("targets", "tokens", "positions", "epochs")
RATES = (0.05, 0.15, 0.3, 0.4, 0.8)


def runs() -> list[Config]:
  """One arm for each rate."""
  return [
    dataclasses.replace(
      COMMON,
      objective="mlm",
      objective_options={"rate": rate},
      arm=f"rate{rate}",
    )
    for rate in RATES
  ]
