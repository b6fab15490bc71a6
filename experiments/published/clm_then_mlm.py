"""Is an encoder better that begins with causal language modelling?

Command: python launch.py reproduce clm_then_mlm
Cost: about 6 minutes on two cores.
Expected: the direction of the paper, and a difference that five seeds hardly
show (docs/results/phases.md, whose arms these are: +3.4 and +5.4 points).
"""

from __future__ import annotations

import dataclasses

from lm_jax.experiments.phases import runs as arms_of_phases
from lm_jax.experiments.published import _full
from lm_jax.experiments.published._scaled import COST, small

from lm_jax.config import Config
from lm_jax.published import Claim, Order, Paper, Scale

BASELINE = "clm0"
SEEDS = 5
DIFFERS = ("phases", *COST)
CLAIM = Claim(
  statement=(
    "Causal language modelling first and masked language modelling then is"
    " better than masked language modelling alone, for one budget of compute."
  ),
  paper=Paper(
    title="Should We Still Pretrain Encoders with Masked Language Modeling?",
    authors="Gisserot-Boukhlef et al.",
    year=2025,
    source="arXiv:2507.00994",
  ),
  table="abstract",
  parts=(
    Order("clm25", "clm0", "optimal under a fixed budget (abstract)"),
    Order("clm50", "clm0", "optimal under a fixed budget (abstract)"),
  ),
  data="web text, which was not looked up; TFDS: c4/en stands for it",
  checked="the abstract; the tables were not found, and numbers are left out",
  full=Scale(
    hardware=_full.A100,
    hours=3 * 25.0,
    measure="mean of the GLUE tasks, fine-tuned",
    smallest_effect=0.5,
    seeds=5,
    settings={
      "size": "base",
      "length": "512",
      "batch_size": "256",
      "budget": "flops:1e19",
      "data.corpus": "c4/en",
      "dtype": "bfloat16",
    },
    tasks=("cola", "sst2", "mrpc", "stsb", "qqp", "mnli", "qnli", "rte"),
    differs="the paper has 210 million to 1 billion parameters",
  ),
  small=small(
    arms=3,
    differs="the share of clm is one of FLOPs, where the paper has steps",
    caution=(
      "mlm alone stands on its first plateau in some seeds, and clm may help"
      " it over that and no further"
    ),
  ),
)


def runs() -> list[Config]:
  """The arms of experiments/phases.py with 0, 25 and 50 % of clm."""
  return [
    dataclasses.replace(config, eval="final")
    for config in arms_of_phases((0.0, 0.25, 0.5))
  ]
