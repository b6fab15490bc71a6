"""Which architecture is best zero-shot, straight after pretraining?

Command: python launch.py reproduce wang_zero_shot
Cost: about 6 minutes on two cores.
Expected: clm ahead of prefix_lm, as in docs/results/compare_objectives.md, and
the encoder-decoder behind.
"""

from __future__ import annotations

from lm_jax.experiments.published import _full
from lm_jax.experiments.published._scaled import COST, arm, small

from lm_jax.config import Config
from lm_jax.published import Claim, Order, Paper, Scale

BASELINE = "non_causal"
SEEDS = 5
DIFFERS = ("objective", "architecture", "parameters", *COST)
CLAIM = Claim(
  statement=(
    "Without fine-tuning a causal decoder is better than a non-causal one,"
    " and that better than an encoder-decoder, all trained by language"
    " modelling."
  ),
  paper=Paper(
    title=(
      "What Language Model Architecture and Pretraining Objective Work"
      " Best for Zero-Shot Generalization?"
    ),
    authors="Wang et al.",
    year=2022,
    source="arXiv:2204.05832",
  ),
  table="table 3",
  parts=(
    Order("causal", "non_causal", "44.2 against 43.5 (EAI-Eval)"),
    Order("non_causal", "encoder_decoder", "43.5 against 39.9 (EAI-Eval)"),
  ),
  data=_full.C4,
  checked="table 3 and table 8 in a copy of the paper",
  full=Scale(
    hardware=_full.A100,
    hours=3 * 11200.0,
    measure="lm-eval's 31 tasks of EAI-Eval",
    smallest_effect=0.5,
    seeds=5,
    settings=_full.C4_MODEL,
    impossible=(
      "reproduce does not measure EAI-Eval's 31 tasks after pretraining; given"
      " the models, `python -m lm_jax.harness` runs them one by one"
    ),
  ),
  small=small(
    arms=3,
    caution=(
      "grammar by likelihood instead of 31 prompted tasks; prefix_lm"
      " predicts half of a row's tokens, in the paper, too, and equal FLOPs,"
      " where the paper has equal tokens"
    ),
    smallest_effect=2.0,
  ),
)


def runs() -> list[Config]:
  """Language modelling on three architectures."""
  return [
    arm("prefix_lm", "non_causal"),
    arm("clm", "causal"),
    arm("prefix_lm", "encoder_decoder", architecture="encoder_decoder"),
  ]
