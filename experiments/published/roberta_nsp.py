"""Is BERT better without next-sentence prediction, given whole rows of text?

Command: python launch.py reproduce roberta_nsp
Cost: about 6 minutes on two cores.
Expected: no difference that three arms of five seeds could show.
"""

from __future__ import annotations

import dataclasses

from lm_jax.experiments.published import _full
from lm_jax.experiments.published._scaled import COST, small
from lm_jax.experiments.sentence_tasks import runs as sentence_arms

from lm_jax.config import Config
from lm_jax.published import Claim, Order, Paper, Scale

BASELINE = "segment_pair"
SEEDS = 5
DIFFERS = ("objective", "parameters", "data.packing", *COST)
CLAIM = Claim(
  statement=(
    "Rows of full sentences without next-sentence prediction are better"
    " than pairs of segments with it, and rows of one document better still:"
    " BERT's finding is confounded with its input format."
  ),
  paper=Paper(
    title="RoBERTa: A Robustly Optimized BERT Pretraining Approach",
    authors="Liu et al.",
    year=2019,
    source="arXiv:1907.11692",
  ),
  table="table 2",
  parts=(
    Order("full_sentences", "segment_pair", "84.7 against 84.0 (MNLI-m, dev)"),
    Order("doc_sentences", "segment_pair", "65.6 against 64.2 (RACE, dev)"),
  ),
  data=_full.WIKIPEDIA,
  checked="nine copies of the table",
  full=Scale(
    hardware=_full.A100,
    hours=3 * _full.BERT_HOURS,
    measure="mean of MNLI, SST-2 and RACE, fine-tuned",
    smallest_effect=0.5,
    seeds=5,
    settings=_full.BERT,
    tasks=("mnli", "sst2", "race"),
  ),
  small=small(
    arms=3,
    caution=(
      "minimal pairs are of single sentences; rows are of 128 tokens, not"
      " 512, so that formats differ less"
    ),
  ),
  unsupported=(
    "the row of pairs of single sentences (82.9), and pairs of segments"
    " without the loss, which would part format and loss for good: mlm_nsp"
    " has no weight of its loss"
  ),
)


def runs() -> list[Config]:
  """Three formats, of which one has the loss."""
  names = {
    "mlm_nsp": "segment_pair",
    "mlm-packed": "full_sentences",
    "mlm": "doc_sentences",
  }
  own = {config.arm: config for config in sentence_arms()}
  return [
    dataclasses.replace(own[arm], arm=name) for arm, name in names.items()
  ]
