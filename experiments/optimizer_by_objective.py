"""Is the best learning rate of mlm that of clm, by AdamW and by Muon?

Command: python launch.py compare --experiment=optimizer_by_objective
Cost: about 9 minutes on two cores.
Expected: papers that compare objectives mostly give both one rate (Ettin,
2507.11412: 3e-3 for encoders and decoders), and docs/results/learning_rates.md
found 4e-3 for both with AdamW, mlm losing more by a rate too high. Muon (Jordan
2024; scaled to AdamW's updates as Liu et al. 2025, 2502.16982, do) takes about
AdamW's rate and reaches a loss sooner; Wen et al. 2025 ("Fantastic pretraining
optimizers and where to find them", 2509.02046) find that most of such gains
shrink once AdamW is tuned as well, to 1.4 times at 100M parameters. Here Muon
acts on a third of the parameters only, since the table of the vocabulary is
AdamW's in both; a gain should be small, and larger at higher rates.

Losses compare within an objective, minimal pairs between all arms. A best rate
at an end of the range is a bound, not an optimum.
"""

from __future__ import annotations

import dataclasses
from typing import Literal

from lm_jax.config import Config

from .compare_objectives import COMMON, optimizer

BASELINE = "clm-adamw-0.004"
SEEDS = 3
PRIMARY = "minimal_pairs"
SMALLEST_EFFECT = 3.0  # points
DIRECTION = "two-sided"
DIFFERS = ("architecture", "targets", "tokens", "positions", "epochs", "rate")
OPTIMIZERS: tuple[Literal["adamw", "muon"], ...] = ("adamw", "muon")
RATES = (2e-3, 4e-3, 8e-3)


def runs() -> list[Config]:
  """One arm for each objective, optimizer and learning rate."""
  return [
    dataclasses.replace(
      COMMON,
      objective=objective,
      optimizer=dataclasses.replace(
        optimizer(objective), name=name, learning_rate=rate
      ),
      branches="",
      eval="final",
      arm=f"{objective}-{name}-{rate:g}",
    )
    for objective in ("clm", "mlm")
    for name in OPTIMIZERS
    for rate in RATES
  ]
