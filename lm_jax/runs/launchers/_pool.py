"""Runs in several processes, each with its share of the processors.

A process takes one run after another, of one arm as long as it can, so that it
compiles an arm once. A run whose process was killed, or that alone was
interrupted, is tried once more.
"""

from __future__ import annotations

import collections
import json
import os
import signal
import time
from collections.abc import Sequence
from concurrent import futures
from typing import Any

from lm_jax.runs import progress as progress_lib
from lm_jax.runs.attempt import Outcome, Runnable, record_failure
from lm_jax.runs.launchers import _room, base
from lm_jax.support import plugins
from lm_jax.support.status import FAILED, INTERRUPTED
from lm_jax.support.worker_process import Worker, WorkerDied

_MODULE = "lm_jax.runs.launchers._pool_worker"
_PURPOSE = "the process of a run"


class _Pool:
  """Processes, and the runs that they work on."""

  def __init__(self, batch: base.Batch, count: int):
    self._batch = batch
    self._left = collections.deque(batch.runs)
    self._tried: collections.Counter[str] = collections.Counter()
    self._threads = futures.ThreadPoolExecutor(count)
    self._shares = _room.shares(count)
    self._memory = _room.memory_of_each(count)
    self._workers: list[Worker | None] = [None] * count
    self._arms = [""] * count
    self._busy: dict[futures.Future, tuple[int, Runnable, float]] = {}
    self.statuses: dict[str, str] = {}
    self.stopping = False

  def fill(self) -> None:
    """Gives a run to every idle process, as long as some are left."""
    idle = set(range(len(self._workers))) - {n for n, *_ in self._busy.values()}
    for number in sorted(idle):
      if self._left and not self.stopping:
        self._begin(number, self._next(number))

  @property
  def is_busy(self) -> bool:
    return bool(self._busy)

  def _next(self, number: int) -> Runnable:
    """Takes a run: of the process's own arm, of one that no other works on."""
    others = {self._arms[n] for n, *_ in self._busy.values()}
    left = collections.Counter(run.config.arm for run in self._left)

    def rank(run: Runnable) -> tuple[bool, bool, int]:
      arm = run.config.arm
      # Else of the arm with most runs left.
      return arm != self._arms[number], arm in others, -left[arm]

    best = min(self._left, key=rank)
    self._left.remove(best)
    return best

  def _begin(self, number: int, run: Runnable) -> None:
    worker = self._workers[number]
    if worker is None:
      setup = {
        "cores": self._shares[number],
        "threads": self._batch.threads,
        "memory": self._memory,
        "plugins": list(map(str, plugins.directories())),
      }
      worker = self._workers[number] = Worker(_MODULE, _PURPOSE, setup)
    self._arms[number] = run.config.arm
    question: dict[str, Any] = {"config": base.as_json(run.config)}
    if run.config.allow_change:
      question["allow_change"] = list(run.config.allow_change)
    future = self._threads.submit(worker.ask, question)
    self._busy[future] = number, run, time.monotonic()

  def wait(self, progress: progress_lib.Progress) -> None:
    """Waits until a run has ended, and takes note."""
    done, _ = futures.wait(self._busy, return_when=futures.FIRST_COMPLETED)
    for future in done:
      number, run, start = self._busy.pop(future)
      name = run.config.name
      outcome = self._outcome(future, number, run)
      again = outcome.status == INTERRUPTED and not self.stopping
      self._tried[name] += 1
      if again and self._tried[name] < 2:
        progress.say(f"{name}: {outcome.error or 'interrupted'}; once more")
        self._left.appendleft(run)
        continue
      if again and outcome.error:  # its process died a second time
        record_failure(run.config, outcome.error)
        outcome = Outcome(FAILED, outcome.error)
      self.statuses[name] = outcome.status
      if outcome.status != INTERRUPTED:
        progress.ended(name, outcome, time.monotonic() - start)

  def _outcome(
    self, future: futures.Future, number: int, run: Runnable
  ) -> Outcome:
    try:
      outcome = Outcome(*json.loads(future.result()))
    except WorkerDied as error:
      outcome = Outcome(INTERRUPTED, _why(str(error)))
    if outcome.status == INTERRUPTED:
      self._close(number)  # It has noted a signal, and would end any other run.
    return outcome

  def _close(self, number: int) -> None:
    worker, self._workers[number] = self._workers[number], None
    if worker is not None:
      worker.close()

  def interrupt(self) -> None:
    """Asks every run to save and end."""
    self.stopping = True
    for number, *_ in self._busy.values():
      worker = self._workers[number]
      if worker is not None:
        os.kill(worker.pid, signal.SIGTERM)

  def close(self) -> None:
    """Ends all processes, whatever they are doing."""
    for number in range(len(self._workers)):
      self._close(number)
    self._threads.shutdown()


def _why(died: str) -> str:
  """Adds what a kill by nobody is likely to mean."""
  hint = " (out of memory?)" if "SIGKILL" in died else ""
  return f"{died}{hint}"


def run(batch: base.Batch, count: int) -> dict[str, str]:
  """Carries runs out in a number of processes.

  An interruption lets every run save; a second one ends them at once.
  """
  total = len(batch.runs)
  pool = _Pool(batch, count)
  with progress_lib.Progress(total, batch.progress, count) as progress:
    progress.say(f"{count} runs at a time, {_cores(_room.shares(count))} each")
    try:
      pool.fill()
      while pool.is_busy:
        try:
          pool.wait(progress)
        except KeyboardInterrupt:
          if pool.stopping:
            raise
          progress.say("lm_jax: interrupted; the runs save and end")
          pool.interrupt()
        pool.fill()
    finally:
      pool.close()
    if pool.stopping:
      progress.say("lm_jax: interrupted; the same command goes on from here")
      pool.statuses.setdefault(batch.runs[0].config.name, INTERRUPTED)
  return pool.statuses


def _cores(shares: Sequence[Sequence[int]]) -> str:
  count = len(shares[0])
  return "one processor" if count == 1 else f"{count} processors"
