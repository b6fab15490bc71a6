"""How large should a batch be where the budget is small?

Command: python launch.py compare --experiment=batch_size
Cost: about 6 minutes on two cores.
Expected: McCandlish et al. 2018 ("An empirical model of large-batch training")
find a critical size, which grows as the loss falls: below it, steps can be
saved at hardly any cost in tokens, above it they cost more and more. At
the beginning of training it is small. Marek et al. 2025 ("Small batch size
training for language models", 2507.07101) find that small batches do as well
or better at equal FLOPs where the second moment forgets after as many tokens
in each. So 4 and 8 rows should be close, and 32, which has sixty steps
in all, far behind.

Learning rates are the tuned one of 8 rows times the square root of the ratio
(Malladi et al. 2022, "On the SDEs and scaling rules for adaptive gradient
algorithms"); Adam's beta2 has one half-life in tokens. No arm but that of 8
rows was tuned.
"""

from __future__ import annotations

import dataclasses

from lm_jax.config import Config

from .compare_objectives import COMMON, optimizer

BASELINE = "8"
SEEDS = 3
PRIMARY = "minimal_pairs"
SMALLEST_EFFECT = 3.0  # points
DIRECTION = "two-sided"
DIFFERS = ("rate",)
SIZES = (2, 4, 8, 16, 32)


def runs() -> list[Config]:
  """One arm for each number of rows."""
  return [_arm(size) for size in SIZES]


def _arm(size: int) -> Config:
  own, times = optimizer("clm"), size / COMMON.batch_size
  return dataclasses.replace(
    COMMON,
    objective="clm",
    optimizer=dataclasses.replace(
      own,
      learning_rate=round(own.learning_rate * times**0.5, 6),
      beta2=round(own.beta2**times, 6),
    ),
    batch_size=size,
    branches="",
    eval="final",
    arm=f"{size}",
  )
