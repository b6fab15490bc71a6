"""Events between two steps of training, and their intervals."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable

from lm_jax.config.budget import Ledger
from lm_jax.training.forks import Fork
from lm_jax.training.plan import State

Log = Callable[[int, dict[str, float]], None]


@dataclasses.dataclass(frozen=True)
class Hooks:
  """Functions to call between two steps.

  log: takes a step and the values of a line of metrics.jsonl.
  evaluate: takes the state, returns values to log.
  save: takes the state, the ledger and the last evaluation's values.
  branch: takes a branch that begins, the state and the ledger, and changes
    neither; returns the model FLOPs of all branches so far.
  should_stop: called after an evaluation: whether to end the run before its
    budget is spent.
  clock: the seconds of the run's own time.
  """

  log: Log
  evaluate: Callable[[State], dict[str, float]]
  save: Callable[[State, Ledger, dict[str, float]], None]
  should_stop: Callable[[], bool] = lambda: False
  branch: Callable[[Fork, State, Ledger], int] = lambda *_: 0
  clock: Callable[[], float] = lambda: time.perf_counter()


@dataclasses.dataclass(frozen=True)
class Intervals:
  """Steps between events; 0: never; the end always has all three.

  skip_limit: this many steps in a row without an update mean divergence.
  pause: the share of the budget at which the run ends before its end.
  """

  log: int
  evaluate: int
  save: int
  skip_limit: int = 10
  pause: float | None = None


def due(step: int, interval: int) -> bool:
  """Returns whether an event of an interval is due after a step."""
  return bool(interval) and step % interval == 0
