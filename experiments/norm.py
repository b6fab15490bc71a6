"""Where should a small transformer normalize, and with what?

Command: python launch.py compare --experiment=norm
Cost: about 7 minutes on two cores.
Expected: Xiong et al. 2020 ("On layer normalization in the transformer
architecture") find that norms after the residual sum (BERT, GPT) train badly
without a warm-up and at high rates, since gradients near the output are large,
and that norms before each part bear both. Where it trains at all, post is as
good or better (Liu et al. 2020, "Understanding the difficulty of training
transformers"). Both matter for deep stacks; at three layers, with a warm-up of
a twentieth, they should be close, with post in favour of a lower rate. RMSNorm
(Zhang and Sennrich 2019) should be equal to LayerNorm.

The learning rate was tuned for pre; so post has half of it in an arm of its
own. All arms are clm, and bits per byte are exact.
"""

from __future__ import annotations

import dataclasses

from lm_jax.config import Config

from .compare_objectives import COMMON, optimizer

BASELINE = "pre"
SEEDS = 3
PRIMARY = "minimal_pairs"
SMALLEST_EFFECT = 3.0  # points
DIRECTION = "two-sided"
DIFFERS = ("rate",)
ARMS: dict[str, tuple[dict[str, str], float]] = {
  "pre": ({}, 1),
  "pre-rms": ({"norm": "rmsnorm"}, 1),
  "post": ({"norm_placement": "post"}, 1),
  "post-half": ({"norm_placement": "post"}, 0.5),
}


def runs() -> list[Config]:
  """One arm for each norm; a name says what its learning rate is times."""
  return [_arm(name, *ARMS[name]) for name in ARMS]


def _arm(name: str, norm: dict[str, str], scale: float) -> Config:
  own = optimizer("clm")
  rate = scale * own.learning_rate
  return dataclasses.replace(
    COMMON,
    objective="clm",
    optimizer=dataclasses.replace(own, learning_rate=rate),
    trunk=COMMON.trunk | norm,
    branches="",
    eval="final",
    arm=name,
  )
