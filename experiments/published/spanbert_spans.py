"""Is it better to mask spans than single tokens?

Command: python launch.py reproduce spanbert_spans
Cost: about 4 minutes on two cores.
Expected: hard to tell apart; spans leave less of a sentence to read from.
"""

from __future__ import annotations

from lm_jax.experiments.published import _full
from lm_jax.experiments.published._scaled import COST, arm, small

from lm_jax.config import Config
from lm_jax.published import Claim, Order, Paper, Scale

BASELINE = "tokens"
SEEDS = 5
DIFFERS = COST
CLAIM = Claim(
  statement=(
    "Masking spans of geometric length is better than masking subword"
    " tokens, most of all for extractive questions."
  ),
  paper=Paper(
    title=(
      "SpanBERT: Improving Pre-training by Representing and Predicting Spans"
    ),
    authors="Joshi et al.",
    year=2020,
    source="arXiv:1907.10529",
  ),
  table="table 6",
  parts=(Order("spans", "tokens", "85.4 against 83.8 (SQuAD 2.0 F1, dev)"),),
  data=_full.WIKIPEDIA,
  checked="the table in a copy of the paper",
  full=Scale(
    hardware=_full.A100,
    hours=2 * 3 * _full.BERT_HOURS,
    measure="SQuAD 2.0, fine-tuned",
    smallest_effect=0.5,
    seeds=5,
    settings=_full.BERT | {"size": "large"},
    tasks=("squad2",),
  ),
  small=small(
    arms=2,
    caution=(
      "the gain is in choosing spans of a passage; in GLUE the paper has"
      " 83.4 against 83.2, and minimal pairs hide one word"
    ),
    differs="spans of tokens, where SpanBERT counts words",
  ),
  unsupported=(
    "the span-boundary objective (tables 7 and 1) is no objective here"
  ),
)


def runs() -> list[Config]:
  """Single tokens, and spans of geometric length."""
  return [
    arm("mlm", "tokens"),
    arm("mlm", "spans", objective_options={"unit": "span"}),
  ]
