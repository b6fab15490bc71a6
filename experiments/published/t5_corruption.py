"""Should an encoder-decoder predict the hidden spans only, or the whole text?

Command: python launch.py reproduce t5_corruption
Cost: about 4 minutes on two cores.
Expected: hard to tell apart; the whole text costs more FLOPs a row.
"""

from __future__ import annotations

from lm_jax.experiments.published import _full
from lm_jax.experiments.published._scaled import COST, arm, small

from lm_jax.config import Config
from lm_jax.published import Claim, Order, Paper, Scale

BASELINE = "whole_text"
SEEDS = 5
DIFFERS = COST
CLAIM = Claim(
  statement=(
    "Predicting corrupted spans only is as good as predicting the whole"
    " text, or a little better, and cheaper."
  ),
  paper=Paper(
    title=(
      "Exploring the Limits of Transfer Learning with a Unified Text-to-"
      "Text Transformer"
    ),
    authors="Raffel et al.",
    year=2020,
    source="arXiv:1910.10683",
  ),
  table="table 5",
  parts=(Order("spans_only", "whole_text", "83.28 against 82.32 (GLUE, dev)"),),
  data=_full.C4,
  checked=(
    "a copy of the table (83.28; MASS-style 82.32; dropping tokens 84.44)"
  ),
  full=Scale(
    hardware=_full.A100,
    hours=2 * _full.T5_HOURS,
    measure="mean of the GLUE tasks, fine-tuned",
    smallest_effect=0.5,
    seeds=5,
    settings=_full.T5,
    tasks=("cola", "sst2", "mrpc", "stsb", "qqp", "mnli", "qnli", "rte"),
    differs=(
      "MASS-style: spans become one mask each, where MASS keeps their lengths"
    ),
  ),
  small=small(
    arms=2,
    caution="both hardly leave chance in minimal pairs at this budget",
  ),
  unsupported="dropping corrupted tokens (84.44), which no objective does",
)


def runs() -> list[Config]:
  """Spans only, and the whole text."""
  return [
    arm("span_corruption", "spans_only", architecture="encoder_decoder"),
    arm(
      "denoising",
      "whole_text",
      architecture="encoder_decoder",
      objective_options={"shuffle": False, "rate": 0.15},
    ),
  ]
