"""Where does the spread over seeds come from: parameters, order or corruption?

Command: python launch.py compare --experiment=variance
Cost: about 6 minutes on two cores.
Expected: first parameters and the order of the data matter about equally where
models are fine-tuned (Dodge et al. 2020, "Fine-tuning pretrained language
models"), and pretraining seeds of small models scatter more than those of
large ones (Sellam et al. 2022, "The MultiBERTs"). clm has no corruption, and
so mlm alone can have a share of it.

Three seeds of the parameters, three of the order and two of the corruption are
crossed: eighteen runs an arm. The report's table "Where the spread comes from"
is the answer; the comparison of the arms uses the runs that share no seed.
"""

from __future__ import annotations

import dataclasses

from lm_jax.config import Config

from .compare_objectives import COMMON, optimizer

BASELINE = "mlm"
SEEDS = "parameters:3,order:3,corruption:2"
DIFFERS = ()


def runs() -> list[Config]:
  """One arm: the parts of the spread differ by objective."""
  return [
    dataclasses.replace(
      COMMON,
      objective="mlm",
      optimizer=optimizer("mlm"),
      branches="",
      arm="mlm",
    )
  ]
