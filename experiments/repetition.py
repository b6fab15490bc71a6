"""Does clm or mlm suffer more where the same text is read again?

Command: python launch.py compare --experiment=repetition
Cost: about 9 minutes on two cores.
Expected: masked language models gain from repetition for longer, since each
reading hides other tokens (Prabhudesai et al. 2025, "Diffusion beats
autoregressive in data-constrained settings", find so for masked diffusion, with
crossings after tens of epochs at far larger budgets). At ten epochs of a small
budget, and a model too small to remember much, the differences may be hard to
show.

Every run reads 400,000 tokens: of a tenth of so much text ten times, of three
tenths about three times, of so much once. Unique documents are the same for
both objectives, and a smaller amount is part of a larger one.
"""

from __future__ import annotations

import dataclasses

from lm_jax.config import Config

from .compare_objectives import COMMON, optimizer

BASELINE = "clm-1"
SEEDS = 5
TOKENS = 400_000
SHARES = (0.1, 0.3, 1.0)
DIFFERS = ("architecture", "targets", "flops", "epochs")


def runs() -> list[Config]:
  """One arm for each objective and amount of unique text."""
  return [
    dataclasses.replace(
      COMMON,
      objective=objective,
      optimizer=optimizer(objective),
      branches="",
      budget=f"tokens:{TOKENS}",
      data=dataclasses.replace(
        COMMON.data, unique=f"tokens:{round(share * TOKENS)}"
      ),
      arm=f"{objective}-{share:g}",
    )
    for objective in ("clm", "mlm")
    for share in SHARES
  ]
