"""Times a few steps of an arm before it is run, and counts what they cost."""

from __future__ import annotations

import dataclasses
import itertools
import time
from collections.abc import Mapping

import jax
import numpy as np

from lm_jax import config as config_lib
from lm_jax.config import Config
from lm_jax.config.budget import Budget
from lm_jax.data import rows as rows_lib
from lm_jax.training import pace
from lm_jax.training.assemble import enable_compilation_cache, make_program
from lm_jax.training.parts import Part

# Steps that are timed: the first ones are slower.
_FIRST, _MOST, _ENOUGH = 5, 40, 3.0


@dataclasses.dataclass(frozen=True)
class Arm:
  """An arm: the steps of a run, and the cost of one.

  cost: of a step, by currency.
  parameters: trained numbers.
  state: bytes of a checkpoint.
  """

  config: Config
  steps: float
  cost: Mapping[str, float]
  parameters: int = 0
  state: int = 0

  def total(self, currency: str) -> float:
    """Returns what a run spends in a currency."""
    return self.steps * self.cost[currency]


def measure(config: Config) -> Arm:
  """Counts and times steps of an arm."""
  enable_compilation_cache(config.data.cache)
  dataset = rows_lib.load(config.data, config.length)
  program = make_program(config, dataset)
  cost = pace.of_step(program, dataset, config)
  cost["seconds"] = _seconds(config, Part(None, program, dataset, 0, 0))
  state = sum(
    leaf.size * leaf.dtype.itemsize
    for leaf in jax.tree.leaves(program.abstract)
    if hasattr(leaf, "size")
    and not jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key)
  )
  return arm(config, cost, program.parameters, state)


def arm(
  config: Config, cost: Mapping[str, float], parameters: int, state: int
) -> Arm:
  """Makes an arm from the cost of its steps."""
  budget = Budget.parse(config.budget)
  steps = budget.steps(int(cost["flops"]), int(cost["positions"]))
  whole = float(steps or budget.amount / cost[budget.currency])
  return Arm(config, whole, cost, parameters, state)


def _seconds(config: Config, part: Part) -> float:
  """Times a step, by the median of a few, in seconds."""
  program = part.program.at(0)
  seeds = config_lib.seeds_of(config)
  state = program.initial(
    np.uint32(seeds.parameters), np.uint32(seeds.corruption)
  )
  step, times = program.step, []
  batches = part.batches(0)
  begin = time.perf_counter()
  for rows in itertools.islice(batches, _MOST):
    clock = time.perf_counter()
    state, _ = step(state, program.place_rows(rows), np.float32(0))
    jax.block_until_ready(state.step)
    times.append(time.perf_counter() - clock)
    if len(times) > _FIRST and time.perf_counter() - begin > _ENOUGH:
      break
  if hasattr(batches, "close"):
    batches.close()
  return float(np.median(times[min(_FIRST, len(times) - 1) :]))
