"""Several runs that differ in their seeds only, in one process, step by step.

Each run is carried out as it would be alone, in a thread of its own, up to its
next step; when all have come to one, the steps are taken as one
(lm_jax/training/seed_batch.py). Only one thread runs at a time, so that nothing
depends on how fast they are.
"""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

import jax

from lm_jax.config import Config
from lm_jax.config.budget import Budget
from lm_jax.runs.attempt import Outcome, Runnable, attempt
from lm_jax.runs.session import Pace
from lm_jax.storage import identity
from lm_jax.support.status import INTERRUPTED
from lm_jax.training.interruption import Interruption
from lm_jax.training.program import Program
from lm_jax.training.seed_batch import (
  Answer,
  Request,
  Seat,
  SeedBatch,
  take_alone,
)


def can_run_together(configs: Sequence[Config]) -> bool:
  """Returns whether runs may take their steps together.

  They differ in their seeds only, and each has one program for its whole
  budget, which is not of seconds; here are one process and one device.
  """
  if len(configs) < 2 or jax.process_count() > 1 or jax.device_count() > 1:
    return False
  plain = not any(
    c.curriculum
    or c.phases
    or c.adapt
    or c.task
    or Budget.parse(c.budget).currency == "seconds"
    for c in configs
  )
  return plain and len(set(map(without_seeds, configs))) == 1


def without_seeds(config: Config) -> str:
  """Returns a fingerprint that is equal for runs with different seeds."""
  return identity.fingerprint(dataclasses.replace(config, seed=0, seeds={}))


def execute_together(
  runs: Sequence[Runnable], progress: bool = True
) -> list[Outcome]:
  """Carries runs out together; each leaves the files of a single run.

  A run that ends, fails or is interrupted leaves the others as they are. Runs
  may start from different steps. Numbers differ from those of single runs as
  far as `vmap` rounds sums in another order.

  Args:
    runs: of class `Run`, for which `can_run_together`; each has a workdir.
    progress: whether the first one shows how it goes.
  """
  group = _Group(runs, progress)
  with _Interruption() as interruption:
    try:
      group.carry_out(interruption)
    except KeyboardInterrupt:
      pass  # a second interruption, or outside of the training steps
    finally:
      group.abort()
  return [member.outcome for member in group.members]


class _Interruption(Interruption):
  """Shows all runs at once what it has noted, so that all stop at one step."""

  _shown = False

  @property
  def noted(self) -> bool:
    return self._shown

  def show(self) -> None:
    self._shown = super().noted


class _Member(threading.Thread):
  """A run in a thread, which is at work only while it is resumed.

  request: the program and the step that it waits for; None if it has ended.
  answer: to its request; an exception is raised there.
  """

  def __init__(self, run: Any, progress: bool, together: int):
    super().__init__(name=run.config.name, daemon=True)
    self.config, self._run, self._progress = run.config, run, progress
    self._together = together
    self.outcome = Outcome(INTERRUPTED)
    self.request: tuple[Program, Request] | None = None
    self.answer: Answer | BaseException | None = None
    self._go, self._back = threading.Semaphore(0), threading.Semaphore(0)
    self._began = self._at_work = False
    # Seconds of its own, and those of its steps: whole, and its share.
    self._own = self._steps = self._share = 0.0
    self._since = 0.0

  @property
  def goes_on(self) -> bool:
    return not self._began or self.request is not None or self._at_work

  def resume(self) -> None:
    """Lets the run go on until it asks for a step or ends."""
    self.request = None
    self._since, self._at_work = time.perf_counter(), True
    if not self._began:
      self._began = True
      self.start()
    self._go.release()
    self.wait()

  def wait(self) -> None:
    """Waits until the run, which is at work, asks for a step or ends."""
    if self._at_work:
      self._back.acquire()
      self._at_work = False
      self._own += time.perf_counter() - self._since

  def charge(self, compiling: float, step: float, runs: int) -> None:
    """Adds the seconds of a step that a number of runs took together."""
    self._steps += step
    self._share += (compiling + step) / runs

  def execute(self, progress: bool) -> dict[str, Any]:
    """Carries the run out, for `attempt`."""
    pace = Pace(
      program=lambda own: Seat(own, self._take),
      clock=lambda: self._now() + self._steps,
      wall=lambda: self._now() + self._share,
      together=self._together,
    )
    return self._run.execute(progress, pace)

  def run(self) -> None:
    self._go.acquire()
    try:
      if self.answer is None:  # else it is to end before it began
        self.outcome = attempt(self, self._progress)
    except BaseException as error:  # where the failure can't be recorded
      self.error = error
    finally:
      self._back.release()

  def _take(self, program: Program, request: Request) -> Answer:
    self.request = program, request
    self._back.release()
    self._go.acquire()
    answer, self.answer = self.answer, None
    if isinstance(answer, BaseException):
      raise answer
    assert answer is not None
    return answer

  def _now(self) -> float:
    return self._own + time.perf_counter() - self._since

  error: BaseException | None = None


class _Group:
  """The members, and the steps that they take together, by program."""

  def __init__(self, runs: Sequence[Runnable], progress: bool):
    self.members = [
      _Member(run, progress and not number, len(runs))
      for number, run in enumerate(runs)
    ]
    self._batches: dict[Program, SeedBatch] = {}

  def carry_out(self, interruption: _Interruption) -> None:
    """Carries all runs out, to their ends.

    Raises:
      BaseException: that of a member whose failure could not be recorded.
    """
    while left := [member for member in self.members if member.goes_on]:
      interruption.show()
      for member in left:
        member.resume()
        if member.error is not None:
          raise member.error
      asked: dict[Program, dict[int, Request]] = {}
      for number, member in enumerate(self.members):
        if member.request is not None:
          program, request = member.request
          asked.setdefault(program, {})[number] = request
      for program, requests in asked.items():
        self._answer(program, requests)

  def abort(self) -> None:
    """Ends what goes on, without saving: a second interruption."""
    for member in self.members:
      member.wait()
      while member.goes_on:
        member.answer = KeyboardInterrupt()
        member.resume()

  def _answer(self, program: Program, requests: Mapping[int, Request]) -> None:
    """Takes the steps that runs of a program ask for."""
    batch = self._batches.get(program)
    if batch is None and len(requests) > 1:
      batch = self._batches[program] = SeedBatch(program, len(self.members))
    try:
      # Steps of few runs cost as much as those of all.
      if batch is not None and 2 * len(requests) > batch.size:
        clock = [time.perf_counter()]
        batch.compile()
        clock.append(time.perf_counter())
        answers = batch.step(requests)
        self._charge(clock, list(requests))
      else:
        answers = {}
        for number, request in requests.items():
          clock = [time.perf_counter()]
          program.compile()
          clock.append(time.perf_counter())
          answers[number] = take_alone(program, request)
          self._charge(clock, [number])
    except Exception as error:
      for number in requests:
        self.members[number].answer = error
      return
    for number, answer in answers.items():
      self.members[number].answer = answer

  def _charge(self, clock: Sequence[float], numbers: Sequence[int]) -> None:
    """Charges what began and was compiled at two times, and ends now."""
    begin, compiled = clock
    end = time.perf_counter()
    for number in numbers:
      self.members[number].charge(
        compiled - begin, end - compiled, len(numbers)
      )
