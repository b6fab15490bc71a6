"""Does the best architecture depend on the objective?

Command: python launch.py compare --experiment=objective_by_architecture
Cost: about 12 minutes on two cores.
Expected: Raffel et al. 2020 ("Exploring the limits of transfer learning",
table 2) cross two objectives with three architectures of equal cost. With
denoising (span corruption) the encoder-decoder is ahead of the prefix LM and
that of the causal LM (GLUE 83.3, 81.8, 74.7), with language modelling the
encoder-decoder of the causal LM as well (79.6, 73.8). They fine-tune; Wang et
al. 2022 find the order reversed without: causal decoders with language
modelling are ahead zero-shot. What is measured here is zero-shot, so that clm
should be first. span_corruption learns slowly at this size: its arms may all
stay near chance, and then say nothing of architectures.

The encoder-decoder has as many layers in each stack and twice the parameters.
With span corruption each token passes one of the two, as in that paper, and
costs about the same. The cuts of prefix_lm are anywhere, so that both stacks
are as long as a row, and padding is charged: it reads the fewest tokens.
Language modelling is clm on the causal decoder, prefix_lm on the others.
"""

from __future__ import annotations

import dataclasses

from lm_jax.config import Config
from lm_jax.types import Architecture

from .compare_objectives import COMMON, optimizer

BASELINE = "lm-causal_decoder"
SEEDS = 3
PRIMARY = "minimal_pairs"
SMALLEST_EFFECT = 5.0  # points
DIRECTION = "two-sided"
# The docstring says why; each reads what its cost leaves.
DIFFERS = (
  *("parameters", "targets", "tokens", "positions", "epochs", "rate"),
  "architecture",
)
LANGUAGE_MODELS: dict[Architecture, str] = {
  "causal_decoder": "clm",
  "prefix_decoder": "prefix_lm",
  "encoder_decoder": "prefix_lm",
}


def runs() -> list[Config]:
  """One arm for each kind of objective and architecture."""
  return [
    dataclasses.replace(
      COMMON,
      objective=objective,
      architecture=architecture,
      optimizer=optimizer(objective),
      branches="",
      eval="final",
      arm=f"{kind}-{architecture}",
    )
    for architecture, language_model in LANGUAGE_MODELS.items()
    for kind, objective in (
      ("lm", language_model),
      ("spans", "span_corruption"),
    )
  ]
