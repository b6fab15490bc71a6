"""Shorter rows first: --curriculum, in stages of a run.

GPT-BERT's recipe (Charpentier and Samuel 2024) reads rows of 128 tokens until
70 % of its steps, of 256 until 90 % and of 512 then: 0.7:128,0.9:256 with
--length=512. Every step reads as many tokens: of shorter rows there are more.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from lm_jax.config import Config
from lm_jax.data import rows as rows_lib
from lm_jax.data.rows import Dataset
from lm_jax.devices import sharding
from lm_jax.support.errors import UsageError
from lm_jax.training.assemble import make_program
from lm_jax.training.program import Program

SHORTEST = 16


@dataclasses.dataclass(frozen=True)
class Stage:
  """A part of a run whose steps have one shape.

  until: the share of the budget at which the next one begins; 1 for the last.
  length, batch_size: of its rows, and how many a step reads.
  """

  until: float
  length: int
  batch_size: int

  def of(self, config: Config) -> Config:
    """The run's configuration, for this stage's data and program."""
    return dataclasses.replace(
      config, length=self.length, batch_size=self.batch_size
    )


def stages(config: Config) -> tuple[Stage, ...]:
  """The stages of a run; the last has the run's own shape.

  Raises:
    UsageError: --curriculum is none, or its rows do not fill a batch.
  """
  found: list[Stage] = []
  for part in filter(None, config.curriculum.split(",")):
    found.append(_stage(part, config, found[-1].until if found else 0.0))
  last = Stage(1.0, config.length, config.batch_size)
  return (*found, last)


def _stage(part: str, config: Config, before: float) -> Stage:
  flag = f"--curriculum={config.curriculum}"
  share, _, size = part.partition(":")
  try:
    until, length = float(share), int(size)
  except ValueError:
    raise UsageError(
      f"{flag}: {part!r} is not a share of the budget and a length: "
      "0.7:128,0.9:256"
    ) from None
  if not before < until < 1:
    raise UsageError(
      f"{flag}: {share} must lie between {before:g} and 1: each stage ends at "
      "a larger share of the budget"
    )
  if not SHORTEST <= length < config.length:
    raise UsageError(
      f"{flag}: {length} must be at least {SHORTEST} and below "
      f"--length={config.length}, the length of the last stage"
    )
  tokens = config.batch_size * config.length
  rows = tokens // length
  if tokens % length or rows % config.accumulate:
    raise UsageError(
      f"{flag}: {length} must divide the {tokens} tokens of a step, "
      f"--batch_size x --length, into rows that --accumulate="
      f"{config.accumulate} divides"
    )
  return Stage(until, length, rows)


@dataclasses.dataclass(frozen=True)
class Part:
  """What runs a stage: its program, and its rows.

  until: of `train.fit`: None for a run of one stage.
  """

  until: float | None
  program: Program
  dataset: Dataset
  seed: int
  workers: int

  def batches(self, start: int) -> Any:
    """The rows from a step of the run on; to be closed."""
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


def parts(config: Config, dataset: Dataset, program: Program) -> list[Part]:
  """The stages of a run, ready to be compiled.

  Args:
    config: of the run.
    dataset, program: of the last stage, which is the whole run without others.

  Raises:
    UsageError: as `stages`, or there are fewer rows than a batch takes.
  """
  *shorter, last = stages(config)
  seed, workers = config.seed, config.data.workers
  whole = Part(last.until, program, dataset, seed, workers)
  if not shorter:
    return [dataclasses.replace(whole, until=None)]
  # All have the table of positions that the longest rows need.
  positions = dict(program.plan.network.trunks)["main"].max_positions
  trunk = config.trunk | {"max_positions": positions}
  found = []
  for stage in shorter:
    rows = rows_lib.load(config.data, stage.length)
    rows.batch(seed, 0, stage.batch_size)  # Raises where there are few.
    own = make_program(dataclasses.replace(stage.of(config), trunk=trunk), rows)
    found.append(Part(stage.until, own, rows, seed, workers))
  return [*found, whole]
