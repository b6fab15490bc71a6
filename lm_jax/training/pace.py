"""Measures the mean cost of a step, in all currencies but seconds."""

from __future__ import annotations

import jax
import numpy as np

from lm_jax import config as config_lib
from lm_jax.config import Config
from lm_jax.config.budget import Budget
from lm_jax.data.row_source import RowSource
from lm_jax.training.program import Program
from lm_jax.training.terms import count_targets
from lm_jax.types import PADDING

# Batches whose tokens and targets are counted; packed rows are nearly full, so
# that their mean differs from that of a run by less than a percent.
_BATCHES = 32


def of_step(
  program: Program, dataset: RowSource, config: Config
) -> dict[str, float]:
  """Returns the mean cost of a step by currency, all but seconds.

  FLOPs, positions and steps are exact; tokens and targets are means over the
  first batches. Nothing is compiled but the making of a batch.
  """
  plan = program.plan
  order = config_lib.seeds_of(config).order
  make = jax.jit(
    lambda key, rows: count_targets(plan.objective.make(key, rows, plan.spec))
  )
  tokens, targets = [], []
  for number in range(_BATCHES):
    rows = dataset.batch(order, number, plan.batch_size)
    tokens.append(np.sum(rows.part_BxL != PADDING))
    targets.append(int(make(jax.random.key(number), rows)))
  return {
    "steps": 1.0,
    "flops": float(program.flops),
    "positions": float(program.positions),
    "tokens": float(np.mean(tokens)),
    "targets": float(np.mean(targets)),
  }


def steps(pace: dict[str, float], budget: Budget) -> float | None:
  """Returns how many steps a budget buys; None for seconds."""
  cost = pace.get(budget.currency)
  return None if not cost else budget.amount / cost
