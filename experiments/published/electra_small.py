"""Does ELECTRA-small beat BERT-small at equal FLOPs?

Command: python launch.py reproduce electra_small
Cost: about 4 minutes on two cores.
Expected: the reverse: rtd hardly leaves chance in minimal pairs at this budget
(docs/results/learning_rates.md), where mlm has just learned to see words that
do not belong.
"""

from __future__ import annotations

from lm_jax.experiments.published import _full
from lm_jax.experiments.published._scaled import COST, arm, small

from lm_jax.config import Config
from lm_jax.published import Claim, Order, Paper, Scale

BASELINE = "mlm"
SEEDS = 5
DIFFERS = ("parameters", *COST)
CLAIM = Claim(
  statement="ELECTRA-Small is better than BERT-Small at about the same FLOPs.",
  paper=Paper(
    title=(
      "ELECTRA: Pre-training Text Encoders as Discriminators Rather Than"
      " Generators"
    ),
    authors="Clark, Luong, Le, Manning",
    year=2020,
    source="arXiv:2003.10555",
  ),
  table="table 1",
  parts=(Order("rtd", "mlm", "79.9 against 75.1 (GLUE, dev)"),),
  data=_full.WIKIPEDIA,
  checked="three sets of notes with the table; FLOPs by the released script",
  full=Scale(
    hardware="one V100 (4 days a model, as published)",
    hours=192.0,
    measure="mean of the GLUE tasks, fine-tuned",
    smallest_effect=1.0,
    seeds=5,
    settings=_full.BERT
    | {
      "trunk.preset": "electra",
      "length": "128",
      "batch_size": "128",
      "budget": "flops:1.15e18",
      "optimizer.learning_rate": "5e-4",
    },
    tasks=("cola", "sst2", "mrpc", "stsb", "qqp", "mnli", "qnli", "rte"),
    differs="equal dot-product FLOPs (see electra_flops_ledger)",
  ),
  small=small(
    arms=2,
    caution=(
      "rtd is known to need far more steps than this before its score says"
      " anything of grammar, and GLUE measures representations, not scores"
    ),
  ),
)


def runs() -> list[Config]:
  """ELECTRA's arm and BERT's, of one discriminator's size."""
  return [arm("mlm"), arm("rtd")]
