"""Times a few steps of an arm before it is run, and counts what they cost."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable, Mapping

import jax
import numpy as np

from lm_jax import config as config_lib
from lm_jax.config import Config
from lm_jax.config.budget import Budget
from lm_jax.data import rows as rows_lib
from lm_jax.training import pace
from lm_jax.training.assemble import enable_compilation_cache, make_program
from lm_jax.training.parts import Part
from lm_jax.training.seed_batch import Request, SeedBatch

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
  compiled, batches = program.step, part.batches(0)

  def step() -> None:
    nonlocal state
    rows = program.place_rows(next(batches))
    state, _ = compiled(state, rows, np.float32(0))
    jax.block_until_ready(state.step)

  seconds = _median(step)
  if hasattr(batches, "close"):
    batches.close()
  return seconds


def alone_and_together(config: Config, size: int) -> tuple[float, float]:
  """Times a step of a run, and one of several seeds at once, for each of them.

  Returns:
    seconds of a step of a run, alone and together; infinite where the device
    has no memory for them.
  """
  enable_compilation_cache(config.data.cache)
  dataset = rows_lib.load(config.data, config.length)
  program = make_program(config, dataset)
  alone = _seconds(config, Part(None, program, dataset, 0, 0))
  batch = SeedBatch(program, size)
  requests = {
    seed: Request(
      program.initial(np.uint32(seed), np.uint32(seed)),
      dataset.batch(seed, 0, config.batch_size),
      np.float32(0),
    )
    for seed in range(size)
  }

  def step() -> None:
    for number, (state, metrics) in batch.step(requests).items():
      requests[number] = requests[number]._replace(state=state)
      jax.block_until_ready(metrics)

  try:
    return alone, _median(step) / size
  except jax.errors.JaxRuntimeError as error:
    if "RESOURCE_EXHAUSTED" not in str(error):
      raise
    return alone, math.inf


def _median(step: Callable[[], None]) -> float:
  """Times a step, by the median of a few, in seconds."""
  times: list[float] = []
  begin = time.perf_counter()
  while len(times) < _MOST and (
    len(times) <= _FIRST or time.perf_counter() - begin < _ENOUGH
  ):
    clock = time.perf_counter()
    step()
    times.append(time.perf_counter() - clock)
  return float(np.median(times[_FIRST:]))
