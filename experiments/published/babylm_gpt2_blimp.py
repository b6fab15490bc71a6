"""Does a published model have its published score on BLiMP here?

Command: python launch.py reproduce babylm_gpt2_blimp --data=DIR
Cost: about 10 minutes on two cores, given the weights.
Expected: the published accuracy, or a little less: the pipeline of then gives
ties to the first candidate, and ours a half
(babylm/evaluation-pipeline-2025#34).
"""

from __future__ import annotations

from lm_jax.published import Claim, Paper, Scale, Scored

CLAIM = Claim(
  statement=(
    "BabyLM's baseline GPT-2 Small of 10 million words has 67.29 % on BLiMP."
  ),
  paper=Paper(
    title="BabyLM 2025: baselines of the evaluation pipeline",
    authors="Charpentier et al.",
    year=2025,
    source="arXiv:2502.10645",
  ),
  table="README.md of the evaluation pipeline, strict-small",
  parts=(
    Scored(
      model="babylm-baseline-10m-gpt2",
      task="blimp",
      file="blimp.jsonl",
      metric="blimp",
      value=67.29,
      tolerance=1.0,
    ),
  ),
  data=(
    "the weights BabyLM-community/babylm-baseline-10m-gpt2, as a directory of"
    " --data, and BLiMP (67 x 1,000 pairs) as blimp.jsonl"
  ),
  checked=(
    "the table is commented out in the README of"
    " babylm/evaluation-pipeline-2025"
  ),
  full=Scale(hardware="two CPU cores", hours=0.2, measure="BLiMP, % right"),
  unsupported=(
    "the pipeline leaves out pairs with words that the training text does not"
    " have; here all 67,000 count"
  ),
)
