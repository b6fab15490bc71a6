"""Does a task on pairs of sentences help a masked language model?

Command: python launch.py compare --experiment=sentence_tasks
Cost: about 8 minutes on two cores.
Expected: Devlin et al. 2019 (BERT, table 5) lose 0.1 to 3.5 points after
fine-tuning without next-sentence prediction; Liu et al. 2019 (RoBERTa, table 2)
lose nothing, and find that it is rows of single sentences that cost. Lan et al.
2020 (ALBERT, table 5): next-sentence prediction is solved by topic alone and
helps little (79.2 against 79.0 on average), the order of two sentences helps
(80.1). Minimal pairs are single sentences, so that neither task should help
there, and both take a share of the gradient: equal, or a little worse.

All arms but one read rows of whole sentences of one document, which are less
full than packed ones; mlm-packed shows what that alone is worth. All have two
token types.
"""

from __future__ import annotations

import dataclasses
from typing import Literal

from lm_jax.config import Config

from .compare_objectives import COMMON, optimizer

BASELINE = "mlm"
SEEDS = 4
PRIMARY = "minimal_pairs"
SMALLEST_EFFECT = 5.0  # points; seeds of mlm alone differ by as much
DIRECTION = "two-sided"
# Rows of sentences are less full.
DIFFERS = ("targets", "tokens", "epochs", "data.sentences")


def runs() -> list[Config]:
  """One arm for each task, and one that shows what the rows are worth."""
  return [
    _arm("mlm", "mlm"),
    _arm("mlm_nsp", "mlm_nsp"),
    _arm("mlm_sop", "mlm_sop"),
    _arm("mlm", "mlm-packed", "packed"),
  ]


def _arm(
  objective: str, name: str, packing: Literal["packed", "document"] = "document"
) -> Config:
  return dataclasses.replace(
    COMMON,
    objective=objective,
    optimizer=optimizer("mlm"),
    trunk=COMMON.trunk | {"token_types": 2},
    data=dataclasses.replace(COMMON.data, packing=packing),
    branches="",
    eval="final",
    arm=name,
  )
