"""Which architecture is best for span corruption?

Command: python launch.py reproduce t5_architectures
Cost: about 6 minutes on two cores.
Expected: the encoder-decoder ahead in its own loss, since it has twice the
parameters at the same cost; prefix and causal decoder close.
"""

from __future__ import annotations

from lm_jax.experiments.published import _full
from lm_jax.experiments.published._scaled import COST, arm, small

from lm_jax.config import Config
from lm_jax.published import Claim, Order, Paper, Scale
from lm_jax.types import Architecture

BASELINE = "prefix_decoder"
SEEDS = 5
DIFFERS = ("architecture", "parameters", *COST)
CLAIM = Claim(
  statement=(
    "For denoising an encoder-decoder is better than a prefix LM, and that"
    " better than a causal decoder."
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
  table="table 2",
  parts=(
    Order(
      "encoder_decoder", "prefix_decoder", "83.28 against 81.82 (GLUE, dev)"
    ),
    Order(
      "prefix_decoder", "causal_decoder", "81.82 against 74.70 (GLUE, dev)"
    ),
  ),
  data=_full.C4,
  checked="three copies of the table (83.28, 81.82, 74.70)",
  full=Scale(
    hardware=_full.A100,
    hours=3 * _full.T5_HOURS,
    measure="mean of the GLUE tasks, fine-tuned",
    smallest_effect=0.5,
    seeds=5,
    settings=_full.T5,
    tasks=("cola", "sst2", "mrpc", "stsb", "qqp", "mnli", "qnli", "rte"),
  ),
  small=small(
    arms=3,
    caution=(
      "the loss of pretraining need not rank models as GLUE does, and"
      " 500,000 tokens are a beginning"
    ),
    differs=(
      "the validation loss of span corruption, which all arms share,"
      " instead of minimal pairs"
    ),
    measure="validation_loss",
    smallest_effect=0.05,
  ),
  unsupported="shared and shallow encoder-decoders, two further rows",
)


def runs() -> list[Config]:
  """One objective on three architectures."""
  names: tuple[Architecture, ...] = (
    "prefix_decoder",
    "encoder_decoder",
    "causal_decoder",
  )
  return [arm("span_corruption", name, architecture=name) for name in names]
