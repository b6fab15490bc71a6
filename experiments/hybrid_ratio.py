"""How much of a hybrid's batch should be causal, and is it better than either?

Command: python launch.py compare --experiment=hybrid_ratio
Cost: about 8 minutes on two cores.
Expected: Charpentier and Samuel 2024 (GPT-BERT) find that a model of both kinds
of rows beats its parents on BLiMP, and use one causal row in sixteen; a study
of causal and diffusion rows ("Dual language models", 2512.14549) finds a
mixture best in all its settings. At this budget mlm has hardly left its plateau
and causal rows give seven times as many targets; so more causal rows
should do better, also by the masked score, and clm alone best.

Scores differ: clm has its likelihood, the others predict each token given all
others, which the causal rows of a hybrid never practise. In BabyLM 2025 the
winner among three ratios depends on just that. Bits per byte are exact for clm
and, by their causal rows, for hybrids: there clm is what to beat.
"""

from __future__ import annotations

import dataclasses

from lm_jax.config import Config

from .compare_objectives import COMMON, optimizer

BASELINE = "clm"
SEEDS = 3
PRIMARY = "minimal_pairs"
SMALLEST_EFFECT = 5.0  # points; seeds of mlm alone differ by as much
DIRECTION = "two-sided"
# Causal rows compute logits at every position, and so fewer tokens are read.
DIFFERS = ("architecture", "targets", "tokens", "positions", "epochs")
SHARES = (1.0, 0.875, 0.5, 0.125, 0.0)


def runs() -> list[Config]:
  """One arm for each share of causal rows; clm and mlm are the ends."""
  return [_arm(share) for share in SHARES]


def _arm(share: float) -> Config:
  ends = {1.0: "clm", 0.0: "mlm"}
  objective = ends.get(share, "hybrid")
  return dataclasses.replace(
    COMMON,
    objective=objective,
    objective_options={} if share in ends else {"causal": share},
    optimizer=optimizer(objective),
    branches="",
    eval="final",
    arm=ends.get(share, f"hybrid{100 * share:g}"),
  )
