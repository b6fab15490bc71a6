"""Runs the train loop, for any objective, model and currency.

Between two steps there is only the state: a run resumes from a step number,
reads the rows of that step and corrupts them in the same way.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from lm_jax.config.budget import Budget, Ledger
from lm_jax.devices import memory
from lm_jax.devices.distributed import Votes, anywhere, exchange
from lm_jax.support.status import DIVERGED, DONE, INTERRUPTED, PAUSED
from lm_jax.training import counter
from lm_jax.training.alternation import Alternation
from lm_jax.training.events import Hooks, Intervals, due
from lm_jax.training.forks import Fork, Forks
from lm_jax.training.interruption import Interruption
from lm_jax.training.plan import State, finite
from lm_jax.training.program import Program
from lm_jax.training.progress import Progress

# Status of a stage: the run continues with another program.
STAGE_DONE = "stage done"


class Outcome(NamedTuple):
  """The end of a run (DONE, DIVERGED, INTERRUPTED, PAUSED), state and error."""

  status: str
  state: State
  error: str | None


def fit(
  program: Program | Alternation,
  state: State,
  ledger: Ledger,
  batches: Iterator[Any],
  budget: Budget,
  intervals: Intervals,
  hooks: Hooks,
  interruption: Interruption,
  title: str = "",
  progress: bool = True,
  until: float | None = None,
  epochs: float = 0.0,
  forks: Sequence[Fork] = (),
) -> Outcome:
  """Trains until the budget, or the share of a stage, is spent.

  Args:
    program: the compiled functions; of several, which each step has.
    state: of the step to continue from; donated.
    ledger: of that step; changed in place.
    batches: rows, from that step on.
    budget: of program.plan.
    intervals, hooks: the other events, and their steps.
    interruption: read once a step; if it is noted, the run is saved.
    title: of the run, for its progress.
    progress: whether to show it, as a bar on a terminal and as lines elsewhere.
    until: the share of the budget at which the program's stage ends; None for a
      run with a single program.
    epochs: that a step reads of the training rows.
    forks: the branches of the run that were not made before.

  Returns:
    The outcome. The last state was saved unless the run diverged: the updates
    of `skip_limit` steps in a row were skipped, or a number of the state or of
    an evaluation is not finite. With STAGE_DONE nothing was measured or saved
    beyond what was due.
  """
  shown = Progress(title, progress)
  loop = _Loop(
    *(program, state, ledger, budget, intervals, hooks, until, shown),
    *(epochs, forks),
  )
  votes = loop.votes
  if not loop.over:
    goal = f"{loop.steps:,} steps" if loop.steps else str(budget)
    shown.say(f"step {ledger.steps:,} of {goal}, compiling")
    program.compile()  # before the clock starts
  with shown.bar():
    shown.begin(loop.share(ledger.as_dict()), ledger.as_dict())
    shown.move(loop.percent())
    stop = votes.stop(interruption.noted, ledger.seconds)
    exchange("ready")  # no clock runs while another process compiles
    loop.clock = hooks.clock()
    loop.branch(saved=True)
    stop = stop or votes.stop(interruption.noted, ledger.seconds)
    while not (loop.over or loop.diverged or stop):
      loop.run(next(batches))
      stop = votes.stop(interruption.noted, ledger.seconds)
      shown.move(loop.percent())
    ended = loop.exhausted() or loop.paused()
    if not (ended or loop.diverged or stop):
      loop.settle()
      status = DIVERGED if loop.diverged else STAGE_DONE
      return Outcome(status, loop.state, loop.diverged)
    if stop:
      shown.say("interrupted, saving")
    loop.save({} if stop else loop.last_evaluation())
    if loop.diverged:
      return Outcome(DIVERGED, loop.state, loop.diverged)
    # The interruption may also have come during the last evaluation.
    stop = stop or anywhere(interruption.noted)
    status = DONE if loop.exhausted() else PAUSED
    return Outcome(INTERRUPTED if stop else status, loop.state, None)


class _Loop:
  """Variables of the loop, so that `fit` reads top to bottom."""

  def __init__(
    self,
    program,
    state,
    ledger,
    budget,
    intervals,
    hooks,
    until,
    shown,
    epochs,
    forks,
  ):
    self.programs: Program | Alternation = program
    self.state: State = state
    self.ledger: Ledger = ledger
    self.budget: Budget = budget
    self.intervals: Intervals = intervals
    self.hooks: Hooks = hooks
    self.until: float | None = until
    self.progress: Progress = shown
    self.epochs: float = epochs
    # The only budgets that need a number from the device at each step.
    self.counting = budget.currency in ("tokens", "targets")
    # All processes must take the same decisions.
    self.votes = Votes(ledger.seconds)
    self.forks = Forks(forks, self.votes.seconds)
    self.forks.plan(ledger)
    self.steps = program.steps(budget, ledger)
    self.stopped = hooks.should_stop()  # by an evaluation
    self.evaluated: dict[str, float] = {}  # at the last step
    self.over = self._finished()  # as of the last step
    self.diverged: str | None = None  # why
    self.clock = hooks.clock()
    self.memory = memory.Watch()
    # Metrics are fetched a step late, so that the device never waits.
    self.pending: tuple[dict[str, float], dict[str, Any]] | None = None
    # The next step whose State.skipped is read, and its value.
    self.look = 0
    self.looking: Any = None
    self._plan_look(ledger.steps, state.skipped)

  @property
  def program(self) -> Program:
    """The program of the next step."""
    return self.programs.at(self.ledger.steps)

  def percent(self) -> int:
    if self.steps is not None and self.until is None:
      return int(100 * self.ledger.steps / self.steps)
    return int(100 * min(1.0, self._spent()))

  def run(self, rows) -> None:
    """Runs one step, and everything that is due after it."""
    ledger = self.ledger
    program = self.program
    rows = program.place_rows(rows)
    self.state, metrics = program.step(self.state, rows, self._fraction())
    ledger.charge(program.flops, program.positions, self.epochs)
    if self.counting or self.forks.counts(ledger):
      self._count(metrics["tokens"], metrics["targets"])
    self._tick()
    self._fetch()
    self.memory.look()
    self.over = self._finished()
    if ledger.steps == self.look:
      self.looking = metrics["skipped"]
    if self.over or due(ledger.steps, self.intervals.log):
      self.pending = (ledger.as_dict(), metrics)
    self.evaluated = {}
    if self.exhausted() or self.paused():
      return
    if due(ledger.steps, self.intervals.evaluate):
      self.evaluated = self.evaluate()
      self.stopped = self.hooks.should_stop()
      self.over = self._finished()
    saved = due(ledger.steps, self.intervals.save)
    if saved:
      self.save(self.evaluated)
    self.branch(saved)

  def branch(self, saved: bool) -> None:
    """Makes the branches that begin here, behind a checkpoint of the run."""
    for fork in self.forks.take(self.ledger):
      # All processes must see one clock, by which a branch is planned.
      now = self.forks.shared(self.ledger)
      if not saved:
        self.save(self.evaluated)
      saved = True
      if self.diverged:
        return
      self.ledger.branch_flops = self.hooks.branch(fork, self.state, now)
      self.clock = self.hooks.clock()

  def last_evaluation(self) -> dict[str, float]:
    """Returns the last step's evaluation; computes it now if it was not due."""
    return self.evaluated or self.evaluate()

  def evaluate(self) -> dict[str, float]:
    """Measures, unless the run diverged; the clock is stopped."""
    self.settle()
    if self.diverged:
      return {}
    values = self.hooks.evaluate(self.state)
    if values:  # else nothing is measured during the run
      if not all(map(math.isfinite, values.values())):
        step = self.ledger.steps
        self._diverge(f"what it gives at step {step} is not finite")
      self._write(self.ledger.as_dict(), values)
    self.clock = self.hooks.clock()
    return values

  def save(self, evaluated: dict[str, float]) -> None:
    """Saves, unless the run diverged; the clock is stopped."""
    self.settle()
    if not self.diverged:
      self.hooks.save(self.state, self.ledger, evaluated)
    self.clock = self.hooks.clock()

  def _finished(self) -> bool:
    staged = self.until is not None and self._spent() >= self.until
    return staged or self.paused() or self.exhausted()

  def paused(self) -> bool:
    """Returns whether the run has come to where it is to be paused."""
    share = self.ledger.steps / self.steps if self.steps else self._spent()
    return self.intervals.pause is not None and share >= self.intervals.pause

  def exhausted(self) -> bool:
    """Returns whether the budget is spent, too small, or no longer needed."""
    if self.stopped:
      return True
    if self.steps is not None:
      return self.ledger.steps >= self.steps
    if self._clocked() and self.ledger.steps == 1 and self.program.warmup:
      # A warm-up by the clock starts at rate 0: if that step took the whole
      # time, nothing has been learnt.
      return False
    return self._spent() >= 1

  def _clocked(self) -> bool:
    return self.budget.currency == "seconds"

  def _fraction(self) -> np.float32:
    """Fraction of the budget at the start or the end of the next step."""
    to_come = 0 if self.program.at_start else 1
    if self.steps is None:  # The cost of a step is not known.
      spent = self._spent()
      late = self._clocked() and spent >= 1
      return np.float32(self.program.warmup if late else min(1.0, spent))
    if self.until is None:
      return np.float32((self.ledger.steps + to_come) / self.steps)
    # Steps of other stages may have other costs.
    at = dataclasses.replace(self.ledger)
    if to_come:
      at.charge(self.program.flops, self.program.positions)
    return np.float32(min(1.0, at.fraction(self.budget)))

  def _spent(self) -> float:
    """Fraction of the budget that is spent."""
    if self.budget.currency == "seconds":
      return self.votes.seconds(self.ledger.seconds) / self.budget.amount
    return self.ledger.fraction(self.budget)

  def _fetch(self) -> None:
    """Reads due values of an earlier step, and writes its log line."""
    if self.looking is not None:
      looking, self.looking = self.looking, None
      self._plan_look(self.look, looking)
    if self.pending is None:
      return
    spent, metrics = self.pending
    self.pending = None
    values = jax.device_get(metrics)
    spent["tokens"] = counter.value(values.pop("tokens"))
    spent["targets"] = counter.value(values.pop("targets"))
    spent["skipped"] = int(values.pop("skipped")[0])
    numbers = {name: float(value) for name, value in values.items()}
    self._write(spent, numbers)

  def _plan_look(self, step: int, skipped: Any) -> None:
    """Plans to read State.skipped when the limit may be reached.

    While all is finite, that is once in `skip_limit` steps.
    """
    limit = self.intervals.skip_limit
    in_a_row = int(jax.device_get(skipped)[1])
    self.look = step + max(1, limit - in_a_row)
    if in_a_row >= limit:
      first = step - in_a_row + 1
      self._diverge(
        f"the loss or its gradient is not finite from step {first} to {step}"
        f" (--skip_limit={limit})"
      )

  def settle(self) -> None:
    """Waits for the device, so that all costs and skipped steps are known."""
    self._fetch()
    self.state = self.program.settled(self.state)
    jax.block_until_ready(self.state.step)
    self._tick()
    step = self.ledger.steps
    self._plan_look(step, self.state.skipped)
    if not finite(self.state):
      self._diverge(f"the parameters are not finite at step {step}")
    self._count(self.state.tokens, self.state.targets)

  def share(self, spent: Mapping[str, float]) -> float:
    """Fraction of the budget for a ledger's numbers."""
    if self.steps is not None and self.until is None:
      return spent["steps"] / self.steps
    return spent[self.budget.currency] / self.budget.amount

  def _write(self, spent: dict[str, float], values: dict[str, float]) -> None:
    self.progress.log(self.share(spent), spent, values)
    step = int(spent.pop("steps"))
    self.hooks.log(step, {**spent, **values})

  def _diverge(self, why: str) -> None:
    self.diverged = self.diverged or why

  def _count(self, *counters: Any) -> None:
    values = map(counter.value, jax.device_get(counters))
    self.ledger.tokens, self.ledger.targets = values
    self.forks.plan(self.ledger)

  def _tick(self) -> None:
    now = self.hooks.clock()
    self.ledger.seconds += now - self.clock
    self.clock = now
