"""The train loop: it names no objective, no model and no currency.

Between two steps there is nothing but the state: a run resumes from a step
number, reads the rows of that step and corrupts them as it would have done.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np
from tqdm import tqdm

from lm_jax import ledger as ledger_lib
from lm_jax.ledger import Budget, Ledger
from lm_jax.program import Program, State

DONE, DIVERGED, INTERRUPTED = "done", "diverged", "interrupted"

Log = Callable[[int, dict[str, float]], None]


@dataclasses.dataclass(frozen=True)
class Hooks:
  """What happens besides the steps; each is called between two of them.

  log: takes a step and the values of a line of metrics.jsonl.
  evaluate: takes the state, returns values to log.
  save: takes the state, the ledger and the last evaluation's values.
  """

  log: Log
  evaluate: Callable[[State], dict[str, float]]
  save: Callable[[State, Ledger, dict[str, float]], None]


@dataclasses.dataclass(frozen=True)
class Intervals:
  """Steps between events; 0 is never, and the end always has all three."""

  log: int
  evaluate: int
  save: int


class Interruption:
  """Notes TERM, INT, USR1 and USR2; the loop reads the note once a step.

  A second INT aborts. Within the context only, and in the main thread only.
  """

  SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGUSR2)

  def __init__(self) -> None:
    self.noted = False
    self._before: dict[int, Any] = {}

  def __enter__(self) -> Interruption:
    if threading.current_thread() is threading.main_thread():
      for number in self.SIGNALS:
        self._before[number] = signal.signal(number, self._note)
    return self

  def __exit__(self, *_: object) -> None:
    for number, handler in self._before.items():
      signal.signal(number, handler)

  def _note(self, number: int, frame: Any) -> None:
    if self.noted and number == signal.SIGINT:
      raise KeyboardInterrupt
    self.noted = True


def fit(
  program: Program,
  state: State,
  ledger: Ledger,
  batches: Iterator[Any],
  budget: Budget,
  intervals: Intervals,
  hooks: Hooks,
  title: str = "",
  progress: bool = True,
) -> tuple[str, State]:
  """Trains until the budget is spent.

  Args:
    program: the compiled functions.
    state: of the step to go on from; donated.
    ledger: of that step; changed in place.
    batches: rows, from that step on.
    budget: of program.plan.
    intervals, hooks: what else happens, and when.
    title: of the progress bar.
    progress: show one; only on a terminal.

  Returns:
    The status, DONE, DIVERGED or INTERRUPTED, and the last state, saved
    unless the run diverged.
  """
  loop = _Loop(program, state, ledger, budget, intervals, hooks)
  if not loop.finished():
    step = program.step  # compiled before the clock starts
    with Interruption() as interruption, _bar(title, progress) as bar:
      bar.update(loop.percent())
      loop.clock = time.perf_counter()
      while not loop.finished():
        loop.run(step, next(batches))
        bar.update(max(0, loop.percent() - bar.n))
        if loop.diverged:
          return DIVERGED, loop.state
        if interruption.noted:
          loop.save({})
          return INTERRUPTED, loop.state
  return loop.end(), loop.state


@contextlib.contextmanager
def _bar(title: str, progress: bool) -> Iterator[tqdm]:
  """Percent of the budget; silent off a terminal."""
  with tqdm(
    total=100,
    desc=title,
    unit="%",
    file=sys.stderr,
    leave=False,
    bar_format="{desc} {percentage:3.0f}%|{bar}| {elapsed}<{remaining}",
    disable=None if progress else True,
  ) as bar:
    yield bar


class _Loop:
  """The loop's few variables, so that `fit` reads top to bottom."""

  def __init__(self, program, state, ledger, budget, intervals, hooks):
    self.program: Program = program
    self.state: State = state
    self.ledger: Ledger = ledger
    self.budget: Budget = budget
    self.intervals: Intervals = intervals
    self.hooks: Hooks = hooks
    self.steps = budget.steps(program.flops, program.positions)
    self.diverged = False
    self.clock = time.perf_counter()
    # Metrics are fetched a step late, so that the device never waits.
    self.pending: tuple[dict[str, float], dict[str, Any]] | None = None

  def finished(self) -> bool:
    if self.steps is not None:
      return self.ledger.steps >= self.steps
    return self.ledger.fraction(self.budget) >= 1

  def percent(self) -> int:
    if self.steps is not None:
      return int(100 * self.ledger.steps / self.steps)
    return int(100 * min(1.0, self.ledger.fraction(self.budget)))

  def run(self, step, rows) -> None:
    """One step, and what is due after it."""
    ledger = self.ledger
    rows = self.program.place(rows)
    self.state, metrics = step(self.state, rows, self._fraction())
    ledger.charge(self.program.flops, self.program.positions)
    if self.budget.currency in ("tokens", "targets"):
      # The only budgets that need a number from the device at each step.
      self._count(metrics)
    self._tick()
    self._fetch()
    if _due(ledger.steps, self.intervals.log) or self.finished():
      self.pending = (ledger.as_dict(), metrics)
    evaluated: dict[str, float] = {}
    if _due(ledger.steps, self.intervals.evaluate) and not self.finished():
      evaluated = self._evaluate()
    if _due(ledger.steps, self.intervals.save) and not self.diverged:
      self.save(evaluated)

  def save(self, evaluated: dict[str, float]) -> None:
    """Saves unless the loss is not finite; the clock stands still."""
    self._fetch()
    self._settle()
    if not self.diverged:
      self.hooks.save(self.state, self.ledger, evaluated)
    self.clock = time.perf_counter()

  def end(self) -> str:
    """The last log line, evaluation and checkpoint."""
    self._fetch()
    if self.diverged:
      return DIVERGED
    self.save(self._evaluate())
    return DONE

  def _fraction(self) -> np.float32:
    """Of the budget, after the coming step."""
    if self.steps is not None:
      return np.float32((self.ledger.steps + 1) / self.steps)
    return np.float32(min(1.0, self.ledger.fraction(self.budget)))

  def _count(self, metrics: dict[str, Any]) -> None:
    counts = jax.device_get((metrics["tokens"], metrics["targets"]))
    self.ledger.tokens, self.ledger.targets = map(ledger_lib.value, counts)

  def _fetch(self) -> None:
    """Writes the log line that is due from an earlier step."""
    if self.pending is None:
      return
    spent, metrics = self.pending
    self.pending = None
    values = jax.device_get(metrics)
    spent["tokens"] = ledger_lib.value(values.pop("tokens"))
    spent["targets"] = ledger_lib.value(values.pop("targets"))
    numbers = {name: float(value) for name, value in values.items()}
    self.diverged = not all(
      math.isfinite(numbers[name]) for name in ("loss", "grad_norm")
    )
    self._write(spent, numbers)

  def _write(self, spent: dict[str, float], values: dict[str, float]) -> None:
    step = int(spent.pop("steps"))
    self.hooks.log(step, {**spent, **values})

  def _evaluate(self) -> dict[str, float]:
    self._fetch()
    self._settle()
    values = self.hooks.evaluate(self.state)
    self._write(self.ledger.as_dict(), values)
    self.clock = time.perf_counter()
    return values

  def _settle(self) -> None:
    """Waits for the device, so that the ledger holds what was spent."""
    jax.block_until_ready(self.state.step)
    self._tick()
    counts = jax.device_get((self.state.tokens, self.state.targets))
    self.ledger.tokens, self.ledger.targets = map(ledger_lib.value, counts)

  def _tick(self) -> None:
    now = time.perf_counter()
    self.ledger.seconds += now - self.clock
    self.clock = now


def _due(step: int, interval: int) -> bool:
  return bool(interval) and step % interval == 0
