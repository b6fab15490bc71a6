"""The parts of a run, one after the other: stages of rows by phases."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

from lm_jax import config as config_lib
from lm_jax.config import Config
from lm_jax.config import phases as phases_lib
from lm_jax.config.budget import Budget
from lm_jax.data import rows as rows_lib
from lm_jax.data.row_source import RowSource
from lm_jax.devices import sharding
from lm_jax.support.errors import UsageError
from lm_jax.training import curriculum
from lm_jax.training.alternation import Alternation
from lm_jax.training.assemble import make_program
from lm_jax.training.program import Program, compile_plan

# Shares are decimal fractions, whose products with a budget are not exact.
_ROUNDING = 1e-9


@dataclasses.dataclass(frozen=True)
class Part:
  """The program and the rows of a part of the budget.

  until: see `train.fit`; None for a run of one part.
  """

  until: float | None
  program: Program | Alternation
  dataset: RowSource
  seed: int
  workers: int

  @property
  def epochs(self) -> float:
    """Epochs that a step reads."""
    return self.program.plan.batch_size / self.dataset.rows("train")

  def batches(self, start: int) -> Any:
    """Iterates over the rows from a step of the run on; close it."""
    plan = self.program.plan
    process, processes = sharding.share(plan.mesh)
    return self.dataset.batches(
      self.seed,
      plan.batch_size,
      start=start,
      process=process,
      processes=processes,
      workers=self.workers,
    )


def parts(config: Config, dataset: RowSource, program: Program) -> list[Part]:
  """Makes the parts of a run, ready to be compiled.

  Args:
    config: of the run.
    dataset, program: of the last part, which is the whole run if it is alone.

  Raises:
    UsageError: see `curriculum.stages`; or there are fewer rows than a batch
      needs.
  """
  *shorter, last = curriculum.stages(config)
  seed, workers = config_lib.seeds_of(config).order, config.data.workers
  whole = Part(last.until, program, dataset, seed, workers)
  # All stages have the table of positions for the longest rows.
  positions = dict(program.plan.network.trunks)["main"].max_positions
  trunk = config.trunk | {"max_positions": positions}
  stages = []
  for stage in shorter:
    rows = rows_lib.load(config.data, stage.length)
    rows.batch(seed, 0, stage.batch_size)  # Raises where there are few.
    own = make_program(
      dataclasses.replace(stage.configure(config), trunk=trunk), rows
    )
    stages.append(Part(stage.until, own, rows, seed, workers))
  made = _by_phase(config, [*stages, whole])
  if len(made) == 1 and not isinstance(made[0].program, Alternation):
    return [dataclasses.replace(made[0], until=None)]
  _check_steps(config, made)
  return made


def _check_steps(config: Config, made: list[Part]) -> None:
  """Raises UsageError if a part's share of the budget buys no step.

  As far as that is known beforehand: in a currency in which steps are static.
  """
  budget, spent = Budget.parse(config.budget), 0
  amount = int(budget.amount)
  for part in made:
    if isinstance(part.program, Alternation) or part.until is None:
      return
    program = part.program
    costs = {"steps": 1, "flops": program.flops, "positions": program.positions}
    cost = costs.get(budget.currency)
    if cost is None:
      return
    # It ends with the step that reaches its share; the run never exceeds all.
    steps = math.ceil((part.until * amount - spent) / cost - _ROUNDING)
    steps = min(steps, (amount - spent) // cost)
    if steps < 1:
      flag = f"--curriculum={config.curriculum}"
      if config.phases:
        flag = f"--phases={config.phases}"
      raise UsageError(
        f"{flag}: of --budget={budget} no step is left for"
        f" {program.plan.objective.name}, in the part that ends at"
        f" {100 * part.until:g} %; a step costs {cost:.3g} {budget.currency}"
      )
    spent += steps * cost


def _by_phase(config: Config, stages: list[Part]) -> list[Part]:
  """Divides the stages of a run by its phases."""
  turns = phases_lib.turns(config) if config.phases else ()
  ends = phases_lib.ends(config) if config.phases and not turns else (1.0,)
  made, begin = [], 0.0
  for stage in stages:
    assert isinstance(stage.program, Program) and stage.until is not None
    programs = [compile_plan(p) for p in stage.program.plan.of_phases()]
    if turns and len(programs) > 1:
      alternation = Alternation(programs, turns)
      made.append(dataclasses.replace(stage, program=alternation))
      continue
    for end, program in zip(ends, programs, strict=True):
      if end > begin:
        begin = min(end, stage.until)
        made.append(dataclasses.replace(stage, until=begin, program=program))
      if begin == stage.until:
        break
  return made
