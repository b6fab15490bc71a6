"""Should a masked language model hide tokens, whole words or spans?

Command: python launch.py compare --experiment=masking_units
Cost: about 6 minutes on two cores.
Expected: Devlin et al. 2019 hid pieces of words; their later release for whole
words gained 1.8 points of F1 on SQuAD. Joshi et al. 2020 ("SpanBERT", table 6)
find random spans ahead of whole words and pieces on most tasks, and pieces
ahead on coreference. All that is after fine-tuning, of large models. Hidden
spans leave less to see near a target: the loss is higher. Here models
are scored one token at a time, which is what the arm of tokens has learned, and
a small model lives on the nearest words; so spans should be behind, if anything
can be shown.

Every arm hides 15 % of the tokens and computes as many logits. Losses are of
other problems and don't compare; minimal pairs do.
"""

from __future__ import annotations

import dataclasses

from lm_jax.config import Config

from .compare_objectives import COMMON, optimizer

BASELINE = "token"
SEEDS = 5
PRIMARY = "minimal_pairs"
SMALLEST_EFFECT = 5.0  # points; seeds of mlm alone differ by as much
DIRECTION = "two-sided"
DIFFERS = ()
UNITS = ("token", "word", "span")


def runs() -> list[Config]:
  """One arm for each unit."""
  return [
    dataclasses.replace(
      COMMON,
      objective="mlm",
      objective_options={"unit": unit},
      optimizer=optimizer("mlm"),
      branches="",
      eval="final",
      arm=unit,
    )
    for unit in UNITS
  ]
