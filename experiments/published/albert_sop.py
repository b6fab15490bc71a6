"""Is the order of sentences a better second task than the next one?

Command: python launch.py reproduce albert_sop
Cost: about 6 minutes on two cores.
Expected: no difference that this budget could show.
"""

from __future__ import annotations

from lm_jax.experiments.published import _full
from lm_jax.experiments.published._scaled import COST, small
from lm_jax.experiments.sentence_tasks import runs as sentence_arms

from lm_jax.config import Config
from lm_jax.published import Claim, Order, Paper, Scale

BASELINE = "mlm_sop"
SEEDS = 5
DIFFERS = ("objective", "parameters", *COST)
CLAIM = Claim(
  statement=(
    "With sentence-order prediction ALBERT is better on tasks than with"
    " next-sentence prediction, and than with neither."
  ),
  paper=Paper(
    title=(
      "ALBERT: A Lite BERT for Self-supervised Learning of Language"
      " Representations"
    ),
    authors="Lan et al.",
    year=2020,
    source="arXiv:1909.11942",
  ),
  table="table 5",
  parts=(
    Order("mlm_sop", "mlm_nsp", "80.1 with SOP (mean of five tasks, dev)"),
    Order("mlm_sop", "mlm", "80.1 with SOP (mean of five tasks, dev)"),
  ),
  data=_full.WIKIPEDIA,
  checked=(
    "ALBERT-base's row (80.1) in ten copies; the rows without SOP were not"
    " found, and their numbers are left out"
  ),
  full=Scale(
    hardware=_full.A100,
    hours=3 * _full.BERT_HOURS,
    measure="mean of MNLI, SST-2 and RACE, fine-tuned",
    smallest_effect=0.5,
    seeds=5,
    settings=_full.BERT | {"trunk.preset": "albert"},
    tasks=("mnli", "sst2", "race"),
    differs=(
      "BERT's steps and batches, where the paper has 125,000 larger ones; SQuAD"
      " is not in the mean"
    ),
  ),
  small=small(
    arms=3,
    caution=(
      "minimal pairs are of single sentences, and the tasks that gain in"
      " the paper (SQuAD, RACE) are of several"
    ),
    differs="rows of one document each, for all arms; one learning rate",
  ),
)


def runs() -> list[Config]:
  """ALBERT's second task, BERT's, and none."""
  own = {config.arm: config for config in sentence_arms()}
  return [own["mlm_sop"], own["mlm_nsp"], own["mlm"]]
