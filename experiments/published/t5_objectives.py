"""Is denoising better than a prefix LM for an encoder-decoder?

Command: python launch.py reproduce t5_objectives
Cost: about 6 minutes on two cores.
Expected: the reverse in minimal pairs: span_corruption hardly leaves chance at
this budget, where prefix_lm is scored by its likelihood.
"""

from __future__ import annotations

from lm_jax.experiments.published import _full
from lm_jax.experiments.published._scaled import COST, arm, small

from lm_jax.config import Config
from lm_jax.published import Claim, Order, Paper, Scale

BASELINE = "prefix_lm"
SEEDS = 5
DIFFERS = ("architecture", "parameters", *COST)
CLAIM = Claim(
  statement=(
    "For an encoder-decoder, denoising objectives are better than a prefix LM."
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
  table="table 4",
  parts=(
    Order("span_corruption", "prefix_lm", "83.28 against 80.69 (GLUE, dev)"),
    Order("denoising", "prefix_lm", "82.96 against 80.69 (GLUE, dev)"),
  ),
  data=_full.C4,
  checked=(
    "four copies of the table (82.96, 80.69, deshuffling 73.17); 83.28 is"
    " the baseline of table 1"
  ),
  full=Scale(
    hardware=_full.A100,
    hours=3 * _full.T5_HOURS,
    measure="mean of the GLUE tasks, fine-tuned",
    smallest_effect=0.5,
    seeds=5,
    settings=_full.T5,
    tasks=("cola", "sst2", "mrpc", "stsb", "qqp", "mnli", "qnli", "rte"),
    differs=(
      "BERT-style: spans become one mask each, where T5 masks or replaces"
      " single tokens; both predict the whole text"
    ),
  ),
  small=small(
    arms=3,
    caution=(
      "scores are of three kinds (a likelihood, two of infilling), and what"
      " a model is good for after fine-tuning is another question"
    ),
  ),
  unsupported="deshuffling of tokens (73.17): denoising shuffles sentences",
)


def runs() -> list[Config]:
  """T5's objective, a prefix LM, and restoring the whole text."""
  return [
    arm("prefix_lm", architecture="encoder_decoder"),
    arm("span_corruption", architecture="encoder_decoder"),
    arm(
      "denoising",
      architecture="encoder_decoder",
      objective_options={"shuffle": False, "rate": 0.15},
    ),
  ]
