"""Which architecture is best after multitask fine-tuning?

Command: python launch.py reproduce wang_finetuned
Cost: it is not run.
Expected: nothing: a mixture of prompted tasks, T0's, would have to be trained
on, and `finetune` trains one task at a time.
"""

from __future__ import annotations

from lm_jax.experiments.published import _full

from lm_jax.published import Claim, Order, Paper, Scale

CLAIM = Claim(
  statement=(
    "After multitask fine-tuning an encoder-decoder that was pretrained by"
    " masked language modelling is better than a causal decoder that was"
    " pretrained by language modelling."
  ),
  paper=Paper(
    title=(
      "What Language Model Architecture and Pretraining Objective Work Best"
      " for Zero-Shot Generalization?"
    ),
    authors="Wang et al.",
    year=2022,
    source="arXiv:2204.05832",
  ),
  table="table 8 and figure 4",
  parts=(
    Order("encoder_decoder", "causal", "60.6 against 51.4 (T0-Eval)"),
    Order("non_causal", "causal", "55.2 against 51.4 (T0-Eval)"),
  ),
  data=_full.C4 + "; then T0's mixture of prompted tasks",
  checked="table 8 in a copy of the paper",
  full=Scale(
    hardware=_full.A100,
    hours=3 * 11200.0,
    measure="T0-Eval after 13 billion tokens of multitask fine-tuning",
    smallest_effect=1.0,
    seeds=5,
    settings=_full.C4_MODEL,
    impossible=(
      "multitask fine-tuning on T0's mixture of prompted tasks can't be"
      " expressed: finetune trains one task at a time"
    ),
  ),
)
