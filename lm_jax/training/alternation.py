"""Phases that take turns: a program for each step of a cycle."""

from __future__ import annotations

import bisect
import dataclasses
import itertools
from collections.abc import Sequence
from typing import Any

from lm_jax.config.budget import Budget, Ledger
from lm_jax.training.plan import Plan
from lm_jax.training.program import Program


class Alternation:
  """Programs that take turns, by the number of the step alone.

  They share parameters and rows; it has what the train loop asks of a Program.

  turns: steps of each program within a cycle.
  """

  def __init__(self, programs: Sequence[Program], turns: Sequence[int]):
    self.programs, self.turns = tuple(programs), tuple(turns)
    self._ends = tuple(itertools.accumulate(turns))

  @property
  def plan(self) -> Plan:
    """The plan of the first program; rows and optimizer are those of all."""
    return self.programs[0].plan

  def at(self, step: int) -> Program:
    """Returns the program of the step after so many."""
    return self.programs[bisect.bisect(self._ends, step % self._ends[-1])]

  def compile(self) -> None:
    """Compiles the steps of all programs."""
    for program in self.programs:
      program.compile()

  def with_held(self, params: Any) -> Alternation:
    """Returns the same programs with their fixed parameters."""
    held = [program.with_held(params) for program in self.programs]
    return Alternation(held, self.turns)

  def steps(self, budget: Budget, spent: Ledger) -> int | None:
    """Counts the steps that a budget buys; None if only the run can tell.

    Raises:
      UsageError: it does not buy one step.
    """
    first = self.at(spent.steps).steps(budget, spent)
    if first is None:
      return None
    after = dataclasses.replace(spent)
    cycle = Ledger()
    for program, turn in zip(self.programs, self.turns, strict=True):
      for _ in range(turn):
        cycle.charge(program.flops, program.positions)
    left = int(budget.amount) - int(spent.spent(budget.currency))
    whole = max(0, left // int(cycle.spent(budget.currency)))
    after.steps += whole * cycle.steps
    after.flops += whole * cycle.flops
    after.positions += whole * cycle.positions
    while True:
      program = self.at(after.steps)
      after.charge(program.flops, program.positions)
      if after.spent(budget.currency) > budget.amount:
        return after.steps - 1
