"""Does the better share of causal training depend on the scorer?

Command: python launch.py reproduce babylm_ratio
Cost: about 4 minutes on two cores.
Expected: each ahead by the scorer that it was mostly trained for.
"""

from __future__ import annotations

from lm_jax.experiments.published import _full
from lm_jax.experiments.published._scaled import COST, arm, small

from lm_jax.config import Config
from lm_jax.published import Claim, Order, Paper, Scale

BASELINE = "causal_focus"
SEEDS = 5
DIFFERS = ("phases", *COST)
CLAIM = Claim(
  statement=(
    "Of GPT-BERT's baselines the causal-focused one is ahead of the masked-"
    "focused one by the causal score, and behind by the masked one."
  ),
  paper=Paper(
    title="BabyLM 2025: baselines of the evaluation pipeline (GPT-BERT)",
    authors="Charpentier et al.",
    year=2025,
    source="arXiv:2502.10645",
  ),
  table="README.md of the evaluation pipeline, strict-small",
  parts=(
    Order(
      "causal_focus",
      "masked_focus",
      "71.66 against 65.22 (BLiMP, causal score)",
      "minimal_pairs.clm",
    ),
    Order(
      "masked_focus",
      "causal_focus",
      "70.36 against 69.07 (BLiMP, masked score)",
      "minimal_pairs",
    ),
  ),
  data=(
    "BabyLM 2025, strict-small (10 million words); no TFDS name: a local file"
    " by --data.corpus"
  ),
  checked=(
    "the table is commented out in the README of babylm/evaluation-"
    "pipeline-2025; the mixed baseline has 69.62 and 71.29"
  ),
  full=Scale(
    hardware=_full.A100,
    hours=2 * 40.0,
    measure="BLiMP, by either score",
    impossible=(
      "reproduce does not measure BLiMP after pretraining; given the models,"
      " `evaluate --tasks=blimp --as=clm` and `--as=mlm` do"
    ),
    smallest_effect=1.0,
    seeds=5,
    settings={
      "size": "small",
      "length": "512",
      "batch_size": "64",
      "budget": "tokens:2e10",
      "data.vocabulary_size": "8192",
      "optimizer.name": "lamb",
      "optimizer.learning_rate": "1.41e-2",
      "dtype": "bfloat16",
    },
  ),
  small=small(
    arms=2,
    caution=(
      "millions of times fewer FLOPs than the baselines, and minimal pairs"
      " made from speeches instead of BLiMP"
    ),
    differs=(
      "whole steps are causal or masked, one of 16 the other kind; masked"
      " tokens are predicted in place, where GPT-BERT predicts them at the"
      " position before; the shares of the published baselines were not"
      " found, and 15 to 1 is assumed"
    ),
  ),
)


def runs() -> list[Config]:
  """Two shares of causal steps, both scored in both ways."""
  return [
    arm("mlm", name, phases=phases, phase_cycle="steps:16")
    for name, phases in (
      ("causal_focus", "clm:15,mlm:1"),
      ("masked_focus", "clm:1,mlm:15"),
    )
  ]
