"""Which pretraining objective learns most of English under one budget?

Command: python launch.py
Cost: about 8 minutes on two cores.
Expected: on minimal pairs clm and prefix_lm, which predict every token, are
ahead of mlm and permutation_lm, which predict one in six. In bits per byte clm
is ahead, too; permutation_lm is exact there, and mlm has a bound. rtd and
span_corruption hardly leave chance under so small a budget, and so are no arms
by default: --objectives=clm,mlm,rtd,span_corruption has them.

Every arm reads the same rows in the same order, and stops at the same number
of model FLOPs: ELECTRA's generator, XLNet's second stream and the vocabulary
logits that clm computes at every position are charged, so that clm and
prefix_lm read fewer tokens than the others. Branches of those that go on
rank all arms at equal tokens, positions, targets and seconds, too.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from lm_jax.config import Config
from lm_jax.config.optimizer import OptimizerOptions

BASELINE = "clm"
SEEDS = 5
# What follows from the objectives: an attention and a number of predictions of
# their own, and so FLOPs, which are equal, for more or fewer tokens.
# ELECTRA's generator has parameters of its own.
DIFFERS = (
  *("architecture", "parameters", "targets", "tokens", "positions", "epochs"),
  "rate",
)
OBJECTIVES = ("clm", "prefix_lm", "mlm", "permutation_lm")
# Each objective's own, the best of five by its own loss over two other seeds;
# of rtd by minimal pairs, since its generator makes its task. All trials, with
# command and date: docs/results/learning_rates.md.
RATES = {
  **{"clm": 4e-3, "prefix_lm": 4e-3, "mlm": 4e-3, "rtd": 8e-3},
  **{"permutation_lm": 2e-3, "span_corruption": 4e-3},
}
RATE = 4e-3  # of an objective that was not tuned
TRIALS = dict.fromkeys(RATES, 10)


def optimizer(objective: str) -> OptimizerOptions:
  """Returns the optimizer of an objective, with a learning rate of its own."""
  rate = RATES.get(objective, RATE)
  return OptimizerOptions(learning_rate=rate, schedule="wsd", decay=0.1)


# A small model sees more text under so small a budget, and small batches give
# it more steps.
COMMON = Config(
  size="nano",
  length=128,
  batch_size=8,
  budget="flops:7e11",
  checkpoint_every=0,
  log_every=20,
  branches="auto",
  optimizer=optimizer(""),
  trunk={"layers": 3, "initializer_range": 0.05},
)


def runs(objectives: Sequence[str] = OBJECTIVES) -> list[Config]:
  """One arm for each objective, on its natural architecture."""
  return [
    dataclasses.replace(
      COMMON, objective=name, optimizer=optimizer(name), arm=name
    )
    for name in objectives
  ]
