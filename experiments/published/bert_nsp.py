"""Does BERT lose by leaving out next-sentence prediction, or bidirection?

Command: python launch.py reproduce bert_nsp
Cost: about 6 minutes on two cores.
Expected: NSP and no NSP hard to tell apart in minimal pairs; the left-to-right
model, whose loss is on every token, ahead at this budget, against the table.
"""

from __future__ import annotations

from lm_jax.experiments.published import _full
from lm_jax.experiments.published._scaled import COST, arm, small
from lm_jax.experiments.sentence_tasks import runs as sentence_arms

from lm_jax.config import Config
from lm_jax.published import Claim, Order, Paper, Scale

BASELINE = "mlm"
SEEDS = 5
DIFFERS = ("architecture", "parameters", *COST)
CLAIM = Claim(
  statement=(
    "Without next-sentence prediction BERT is worse, and as a left-to-right"
    " model worse still."
  ),
  paper=Paper(
    title=(
      "BERT: Pre-training of Deep Bidirectional Transformers for Language"
      " Understanding"
    ),
    authors="Devlin, Chang, Lee, Toutanova",
    year=2019,
    source="arXiv:1810.04805",
  ),
  table="table 5",
  parts=(
    Order("mlm_nsp", "mlm", "84.4 against 83.9 (MNLI-m, dev)"),
    Order("mlm", "clm", "83.9 against 82.1 (MNLI-m, dev)"),
  ),
  data=_full.WIKIPEDIA,
  checked=(
    "three sets of notes with the table: MNLI 84.4, 83.9, 82.1; SQuAD F1"
    " 88.5, 87.9, 77.8"
  ),
  full=Scale(
    hardware=_full.A100,
    hours=3 * _full.BERT_HOURS,
    measure="mean of MNLI, QNLI, MRPC and SST-2, fine-tuned",
    smallest_effect=0.5,
    seeds=5,
    settings=_full.BERT,
    tasks=("mnli", "qnli", "mrpc", "sst2"),
    differs="SQuAD, the fifth column, is not in the mean",
  ),
  small=small(
    arms=3,
    caution=(
      "the table measures pairs of sentences and questions after fine-"
      "tuning, for which NSP was made; minimal pairs are of single"
      " sentences, and clm is scored by its exact likelihood"
    ),
    differs="rows of one document each, for all arms; one learning rate",
  ),
)


def runs() -> list[Config]:
  """One arm for each row of the table."""
  own = {config.arm: config for config in sentence_arms()}
  causal = arm("clm", data=own["mlm"].data, trunk=own["mlm"].trunk)
  return [own["mlm"], own["mlm_nsp"], causal]
