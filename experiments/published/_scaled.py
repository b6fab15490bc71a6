"""Settings that scaled-down claims share: those of the default experiment."""

from __future__ import annotations

import dataclasses
from typing import Any

from lm_jax.experiments.compare_objectives import COMMON, optimizer

from lm_jax.config import Config
from lm_jax.published import Scale

COMMON_DIFFERS = (
  "410,000 parameters (3 layers, width 64), rows of 128 tokens, batches of 8,"
  " 7e11 model FLOPs a run, byte-level BPE of 4,096 pieces trained on the State"
  " of the Union messages (2 million words, the only text), each objective's"
  " learning rate tuned at this size; minimal pairs by each objective's own"
  " score instead of fine-tuned tasks"
)
# What follows from equal FLOPs, for DIFFERS.
COST = ("targets", "tokens", "positions", "epochs", "rate")
# Seeds of mlm differ by as much (docs/results/phases.md).
SMALLEST_EFFECT = 5.0


def arm(objective: str, name: str = "", **changes: Any) -> Config:
  """Makes an arm of a scaled-down claim.

  Args:
    objective: that is trained, with its own learning rate.
    name: of the arm; the objective's by default.
    **changes: fields of Config.
  """
  return dataclasses.replace(
    COMMON,
    **{
      "objective": objective,
      "optimizer": optimizer(objective),
      "branches": "",
      "eval": "final",
      "arm": name or objective,
      **changes,
    },
  )


def small(arms: int, caution: str, differs: str = "", **changes: Any) -> Scale:
  """Makes the scale of a claim whose arms are those of `arm`.

  Args:
    arms: how many, for the hours.
    caution: why the claim may not carry over.
    differs: what differs besides what all scaled-down claims differ in.
    **changes: fields of Scale.
  """
  scale = Scale(
    hardware="two CPU cores",
    hours=round(arms * 25 / 3600, 3),
    measure="minimal_pairs",
    smallest_effect=SMALLEST_EFFECT,
    seeds=5,
    differs="; ".join(filter(None, (COMMON_DIFFERS, differs))),
    caution=caution,
  )
  return dataclasses.replace(scale, **changes)
