"""Is masking 40 % of the tokens better than masking 15 %?

Command: python launch.py reproduce masking_forty
Cost: about 4 minutes on two cores.
Expected: hard to tell apart: the finding is for large models, and small ones
prefer less.
"""

from __future__ import annotations

from lm_jax.experiments.published import _full
from lm_jax.experiments.published._scaled import COST, arm, small

from lm_jax.config import Config
from lm_jax.published import Claim, Order, Paper, Scale

BASELINE = "rate0.15"
SEEDS = 5
DIFFERS = COST
CLAIM = Claim(
  statement=(
    "Masking 40 % of the tokens is better than masking 15 % for models of"
    " BERT-large's size."
  ),
  paper=Paper(
    title="Should You Mask 15% in Masked Language Modeling?",
    authors="Wettig, Gao, Zhong, Chen",
    year=2023,
    source="arXiv:2202.08005",
  ),
  table="abstract and section 3",
  parts=(
    Order("rate0.4", "rate0.15", "40 % outperforms 15 % (GLUE and SQuAD)"),
  ),
  data=_full.WIKIPEDIA,
  checked=(
    "the abstract; the table's numbers were not found, and are left out"
  ),
  full=Scale(
    hardware=_full.A100,
    hours=2 * 3 * _full.BERT_HOURS,
    measure="mean of the GLUE tasks, fine-tuned",
    smallest_effect=0.5,
    seeds=5,
    settings=_full.BERT | {"size": "large"},
    tasks=("cola", "sst2", "mrpc", "stsb", "qqp", "mnli", "qnli", "rte"),
    differs="the paper uses a recipe of larger batches and fewer steps",
  ),
  small=small(
    arms=2,
    caution=(
      "the paper finds that larger models prefer higher rates; this one is"
      " 800 times smaller"
    ),
  ),
)


def runs() -> list[Config]:
  """Two rates."""
  return [
    arm("mlm", f"rate{rate}", objective_options={"rate": rate})
    for rate in (0.15, 0.4)
  ]
