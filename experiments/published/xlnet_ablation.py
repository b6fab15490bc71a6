"""Is permutation language modelling better than masking, on one trunk?

Command: python launch.py reproduce xlnet_ablation
Cost: about 4 minutes on two cores.
Expected: the reverse: permutation_lm predicts as few tokens as mlm at twice the
cost, and is behind in docs/results/compare_objectives.md.
"""

from __future__ import annotations

from lm_jax.experiments.published import _full
from lm_jax.experiments.published._scaled import COST, arm, small

from lm_jax.config import Config
from lm_jax.published import Claim, Order, Paper, Scale

BASELINE = "mlm"
SEEDS = 5
DIFFERS = COST
CLAIM = Claim(
  statement=(
    "Permutation language modelling is better than denoising auto-encoding"
    " with the same Transformer-XL backbone."
  ),
  paper=Paper(
    title=(
      "XLNet: Generalized Autoregressive Pretraining for Language Understanding"
    ),
    authors="Yang et al.",
    year=2019,
    source="arXiv:1906.08237",
  ),
  table="table 6",
  parts=(Order("permutation_lm", "mlm", "85.63 against 84.88 (MNLI-m, dev)"),),
  data=_full.WIKIPEDIA,
  checked=(
    "four copies of the table (RACE 66.66 against 65.03, SQuAD 2.0 80.98"
    " against 79.56)"
  ),
  full=Scale(
    hardware=_full.A100,
    hours=2 * _full.BERT_HOURS,
    measure="mean of MNLI, SST-2 and RACE, fine-tuned",
    smallest_effect=0.5,
    seeds=5,
    settings=_full.BERT | {"trunk.preset": "xlnet"},
    tasks=("mnli", "sst2", "race"),
    differs="SQuAD 2.0 is not in the mean",
  ),
  small=small(
    arms=2,
    caution=(
      "equal FLOPs, of which permutation_lm's queries take a share; and minimal"
      " pairs instead of reading tasks"
    ),
  ),
  unsupported=(
    "memory, span-based prediction, bidirectional data and next-sentence"
    " prediction, the other rows of the table; Transformer-XL's recurrence"
  ),
)


def runs() -> list[Config]:
  """XLNet's objective and BERT's on one trunk."""
  return [arm("mlm"), arm("permutation_lm")]
