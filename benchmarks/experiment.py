"""Where an experiment's time goes: twelve runs, from the start to the report.

    python -m benchmarks.experiment
    python -m benchmarks.experiment --budget=flops:6e12

`launch.py compare` in a process of its own, its caches
empty, with clocks around what is called: training steps, their data, their log
lines, checkpoints, evaluations, compilation.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import pathlib
import tempfile
import time
from collections.abc import Iterator
from typing import Any
from unittest import mock

from benchmarks import peers

# Of the quick start, 13 seconds of training a run on two cores; a minute's.
BUDGETS = ("flops:1.2e12", "flops:6e12")
RUNS = 12
OVERHEAD = ("data", "log", "save")


class Clocks:
  """Seconds of what happens, by name; what is within another counts there."""

  def __init__(self) -> None:
    self.seconds: collections.Counter[str] = collections.Counter()
    self._names: list[str] = []
    self._since = time.perf_counter()

  @contextlib.contextmanager
  def of(self, name: str) -> Iterator[None]:
    self._switch()
    self._names.append(name)
    try:
      yield
    finally:
      self._switch()
      self._names.pop()

  def wrap(self, name: str, function: Any) -> Any:
    def timed(*args, **kwargs):
      with self.of(name):
        return function(*args, **kwargs)

    return timed

  def _switch(self) -> None:
    now = time.perf_counter()
    name = self._names[-1] if self._names else "rest"
    self.seconds[name] += now - self._since
    self._since = now


def make(flags: list[str]) -> tuple[dict[str, Any], Any]:
  """Runs the experiment; the facts are seconds by name."""
  clocks = Clocks()
  from lm_jax import cli
  from lm_jax.runs import run, yardstick
  from lm_jax.training import events, train

  class Batches:
    """Rows, timed."""

    def __init__(self, rows):
      self._rows = rows

    def __iter__(self):
      return self

    def __next__(self):
      with clocks.of("data"):
        return next(self._rows)

  fit = train.fit

  def timed_fit(
    made, state, ledger, batches, budget, intervals, hooks, *more, **options
  ):
    with clocks.of("compile"):
      _ = made.step  # compiled where it is first asked for
    hooks = events.Hooks(
      clocks.wrap("log", hooks.log),
      clocks.wrap("evaluate", hooks.evaluate),
      clocks.wrap("save", hooks.save),
      hooks.should_stop,
    )
    rows = Batches(batches)
    with clocks.of("train"):
      return fit(
        made, state, ledger, rows, budget, intervals, hooks, *more, **options
      )

  make_yardstick = yardstick.make

  def timed_yardstick(*args):
    made = make_yardstick(*args)
    made.evaluate_best = clocks.wrap("evaluate", made.evaluate_best)
    return made

  with (
    mock.patch.object(train, "fit", timed_fit),
    mock.patch.object(yardstick, "make", timed_yardstick),
    mock.patch.object(run, "_dataset", clocks.wrap("prepare", run._dataset)),
    mock.patch.object(
      run, "make_program", clocks.wrap("trace", run.make_program)
    ),
  ):
    code = cli.main(["compare", *flags])
  clocks._switch()
  return {"code": code, "seconds": dict(clocks.seconds)}, None


def measure(budget: str) -> dict[str, Any]:
  """Seconds by name; "all" is the whole process.

  Raises:
    RuntimeError: the experiment failed.
  """
  with tempfile.TemporaryDirectory() as name:
    folder = pathlib.Path(name)
    flags = [
      f"--budget={budget}",
      f"--workdir={folder / 'experiment'}",
      f"--data.cache={folder / 'cache'}",
    ]
    start = time.perf_counter()
    side = peers.Contestant(make, flags)
    whole = time.perf_counter() - start
    side.stop()
  if side.facts["code"]:
    raise RuntimeError(f"the experiment ended with {side.facts['code']}")
  return {"all": whole, **side.facts["seconds"]}


def told(budget: str, found: dict[str, Any]) -> list[str]:
  """The lines of a Markdown section."""
  names = {
    "train": "training steps, their dispatch",
    "data": "waiting for rows",
    "log": "log lines",
    "save": "checkpoints",
    "evaluate": "evaluations, along the way and at the end",
    "compile": "compiling steps",
    "trace": "set-up of programs",
    "prepare": "reading the corpus, its preparation with it",
    "rest": "imports, report, figures, all else",
  }
  whole = found["all"]
  trained = sum(found[name] for name in ("train", *OVERHEAD))
  overhead = sum(found[name] for name in OVERHEAD)
  lines = [
    f"`compare --budget={budget}`, {RUNS} runs, caches empty: {whole:.0f} s.",
    "",
    "| | seconds | share | target |",
    "|---|--:|--:|--:|",
  ]
  for name, words in names.items():
    seconds = found.get(name, 0.0)
    lines.append(f"| {words} | {seconds:.1f} | {seconds / whole:.1%} | |")
  lines += [
    f"| outside training | {whole - trained:.1f}"
    f" | {1 - trained / whole:.1%} | 15% |",
    f"| data, log and checkpoints, by training | {overhead:.2f}"
    f" | {overhead / trained:.2%} | 3% |",
  ]
  return lines


def main() -> None:
  parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
  parser.add_argument("--budget", default=BUDGETS[0])
  options = parser.parse_args()
  print("\n".join(told(options.budget, measure(options.budget))))


if __name__ == "__main__":
  main()
