"""Does nanoGPT's small character model reach a loss of 1.88 on Shakespeare?

Command: python launch.py reproduce nanogpt_cpu --data=DIR
Cost: about 2.5 minutes a seed on two cores; three seeds.
Expected: the same loss within 0.05: nanoGPT estimates it from 240 rows drawn at
random, so that its own figure scatters by about 0.02.
"""

from __future__ import annotations

from lm_jax.config import Config
from lm_jax.config.optimizer import OptimizerOptions
from lm_jax.data.options import DataOptions
from lm_jax.published import Claim, Number, Paper, Scale

BASELINE = "clm"
SEEDS = 3
CLAIM = Claim(
  statement=(
    "A character model of 4 layers, 4 heads and width 128 reaches a validation"
    " loss of 1.88 on tiny Shakespeare after 2,000 steps of 12 rows of 64"
    " characters."
  ),
  paper=Paper(
    title="nanoGPT (README.md, quick start)",
    authors="Karpathy",
    year=2022,
    source="github.com/karpathy/nanoGPT",
  ),
  table='README.md, "I only have a macbook"',
  parts=(Number("clm", 1.88, 0.05),),
  data="tiny Shakespeare, the first 90 % for training",
  checked="README.md and config/train_shakespeare_char.py of the repository",
  full=Scale(
    hardware="two CPU cores",
    hours=0.06,
    measure="validation_loss",
    seeds=3,
    corpus="tinyshakespeare.txt",
    differs=(
      "validation on the first half of the last tenth (the second half is kept"
      " for testing), all of its rows once; rows are cut in advance and begin"
      " with a boundary token, so that the first character is predicted, too;"
      " output projections of blocks do not start smaller"
    ),
  ),
)


def runs() -> list[Config]:
  """The one arm, every setting as published."""
  return [
    Config(
      objective="clm",
      arm="clm",
      length=65,  # a boundary token and 64 characters
      batch_size=12,
      budget="steps:2000",
      checkpoint_every=0,
      log_every=100,
      eval="loss",
      trunk={
        "layers": 4,
        "heads": 4,
        "width": 128,
        "feedforward": 512,
        "positions": "learned",
        "activation": "gelu",
        "norm_bias": False,
      },
      optimizer=OptimizerOptions(
        learning_rate=1e-3, warmup=0.05, final=0.1, beta2=0.99, weight_decay=0.1
      ),
      data=DataOptions(tokenizer="characters"),
    )
  ]
