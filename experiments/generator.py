"""How large should ELECTRA's generator be, and how heavy its discriminator?

Command: python launch.py compare --experiment=generator
Cost: about 25 minutes on two cores.
Expected: Clark et al. 2020 (ELECTRA, section 3.2) find a generator of a quarter
to a half of the discriminator's width best, and one as large worse: its samples
are too hard to tell, and it takes FLOPs. They weigh the discriminator by 50,
since its loss is far smaller than the generator's. Here every generator is
weak, so that its samples are easy, and FLOPs decide: a quarter should be
ahead of the whole width, which reads 57 % of its tokens. A weight of 10 leaves
more of the shared embeddings to the generator, which learns first; the
difference should be small, since Adam's steps don't grow with the loss.

rtd hardly leaves chance under small budgets: in pilot runs with seed 100 not
with 4,096 tokens and four times the usual budget, and with 1,024 tokens, of
which many continue a word and so can't stand anywhere, at eight times (58.9 %
of minimal pairs with a rate of 4e-3, 51.9 with 2e-3). A first try at twice the
budget (seeds 0 to 2) left all arms at chance. So the vocabulary is 1,024 here,
the budget eight times the usual one, and nothing compares with the pages of
other experiments.
"""

from __future__ import annotations

import dataclasses

from lm_jax.config import Config

from .compare_objectives import COMMON

BASELINE = "quarter"
SEEDS = 3
PRIMARY = "minimal_pairs"
SMALLEST_EFFECT = 5.0  # points
DIRECTION = "two-sided"
DIFFERS = ("parameters", "targets", "tokens", "positions", "epochs")
# The generator's share of the width, and the discriminator's weight.
ARMS = {
  "quarter": (0.25, 50.0),
  "half": (0.5, 50.0),
  "whole": (1.0, 50.0),
  "quarter-light": (0.25, 10.0),
}


def runs() -> list[Config]:
  """One arm for each generator and weight."""
  return [
    dataclasses.replace(
      COMMON,
      objective="rtd",
      objective_options={"generator": width, "weight": weight},
      data=dataclasses.replace(COMMON.data, vocabulary_size=1024),
      budget="flops:5.6e12",
      branches="",
      eval="final",
      arm=name,
    )
    for name, (width, weight) in ARMS.items()
  ]
