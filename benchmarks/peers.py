"""Runs contestants in processes of their own, taking turns.

Thread pools of two frameworks in one process disturb each other; taking turns
lets all see the same noise of the machine.
"""

from __future__ import annotations

import multiprocessing
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any


def _serve(connection, make: Callable[..., Any], args: tuple) -> None:
  """Builds a contestant, a (facts, step) pair, and runs steps as asked."""
  facts, step = make(*args)
  connection.send(facts)
  while (count := connection.recv()) is not None:
    times = []
    for _ in range(count):
      start = time.perf_counter()
      step()
      times.append(time.perf_counter() - start)
    connection.send(times)


class Ended(EOFError):
  """A contestant's process ended; `exitcode` is as multiprocessing has it."""

  def __init__(self, exitcode: int | None):
    super().__init__(f"a contestant's process ended with {exitcode}")
    self.exitcode = exitcode


class Contestant:
  """A process that builds something and times its steps.

  Args:
    make: a top-level function that returns (facts, step): anything that can
      be sent, and a function that runs one step to its end.
    args: of `make`.

  Raises:
    Ended: by the constructor and by `run`.
  """

  def __init__(self, make: Callable[..., Any], *args: Any):
    context = multiprocessing.get_context("spawn")
    self._pipe, theirs = context.Pipe()
    self._process = context.Process(
      target=_serve, args=(theirs, make, args), daemon=True
    )
    self._process.start()
    theirs.close()
    self.facts = self._receive()

  @property
  def pid(self) -> int:
    assert self._process.pid is not None
    return self._process.pid

  def run(self, count: int) -> list[float]:
    """Seconds of each of `count` steps."""
    self.begin(count)
    return self.end()

  def begin(self, count: int) -> None:
    """Lets it run `count` steps; `end` waits for them."""
    self._pipe.send(count)

  def end(self) -> list[float]:
    """Returns the seconds of each of the steps that `begin` began."""
    return self._receive()

  def _receive(self) -> Any:
    try:
      return self._pipe.recv()
    except EOFError as error:
      self._process.join()
      raise Ended(self._process.exitcode) from error

  def stop(self) -> None:
    self._pipe.send(None)
    self._process.join()


def at_once(contestants: Sequence[Contestant], count: int) -> list[float]:
  """Seconds of each of `count` steps of contestants that run at once."""
  for contestant in contestants:
    contestant.begin(count)
  return [each for contestant in contestants for each in contestant.end()]


def take_turns(
  contestants: Sequence[Contestant], rounds: int, steps: int
) -> list[list[float]]:
  """Each contestant's step times in seconds; they take turns of `steps`.

  The first step of a turn is not counted.
  """
  found: list[list[float]] = [[] for _ in contestants]
  for _ in range(rounds):
    for contestant, times in zip(contestants, found, strict=True):
      # While the other's threads come to rest and the caches fill again.
      time.sleep(0.5)
      contestant.run(1)
      times += contestant.run(steps)
  return found


def spread(times: list[float]) -> str:
  """The median and the middle half, in milliseconds."""
  low, middle, high = statistics.quantiles(times, n=4)
  return f"{1e3 * middle:.0f} ms ({1e3 * low:.0f} to {1e3 * high:.0f})"
