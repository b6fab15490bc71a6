"""Trains on shorter rows first: the stages of --curriculum.

GPT-BERT's recipe (Charpentier and Samuel 2024) reads rows of 128 tokens until
70 % of its steps, of 256 until 90 % and of 512 then: 0.7:128,0.9:256 with
--length=512. Every step reads equally many tokens: the shorter the rows, the
more there are.
"""

from __future__ import annotations

import dataclasses

from lm_jax.config import Config
from lm_jax.support.errors import UsageError

SHORTEST = 16


@dataclasses.dataclass(frozen=True)
class Stage:
  """A part of a run whose steps have one shape.

  until: the share of the budget at which the next stage begins; 1 for the last.
  length, batch_size: tokens of its rows, and rows per step.
  """

  until: float
  length: int
  batch_size: int

  def configure(self, config: Config) -> Config:
    """Returns the run's configuration with this stage's shape."""
    return dataclasses.replace(
      config, length=self.length, batch_size=self.batch_size
    )


def stages(config: Config) -> tuple[Stage, ...]:
  """Returns the stages of a run; the last has the run's own shape.

  Raises:
    UsageError: --curriculum is not valid, or its rows do not fill a batch.
  """
  shorter: list[Stage] = []
  for part in filter(None, config.curriculum.split(",")):
    shorter.append(_stage(part, config, shorter[-1].until if shorter else 0.0))
  last = Stage(1.0, config.length, config.batch_size)
  return (*shorter, last)


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
