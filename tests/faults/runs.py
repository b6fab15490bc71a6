"""Uninterrupted runs to compare with, and what must hold of any run."""

from __future__ import annotations

import dataclasses
import json
import pathlib
import random
import time
from typing import Any

import jax

from . import forking, launching


@dataclasses.dataclass(frozen=True)
class Reference:
  """An uninterrupted run, and how long it took."""

  workdir: pathlib.Path
  seconds: float


class References:
  """Uninterrupted runs by objective, made when they are first asked for.

  Args:
    folder: to be in.
    steps, flags: of each run.
  """

  def __init__(self, folder: pathlib.Path, steps: int, **flags: int):
    self.corpus = launching.write_corpus(folder / "corpus")
    self._folder, self._steps, self._flags = folder, steps, flags
    self._known: dict[str, Reference] = {}

  def command(self, workdir: pathlib.Path, objective: str) -> list[str]:
    return launching.train_command(
      workdir, self.corpus, objective, self._steps, **self._flags
    )

  def get(self, objective: str) -> Reference:
    if objective not in self._known:
      workdir = self._folder / objective
      begin = time.monotonic()
      forking.finish(self.command(workdir, objective), self._folder)
      seconds = time.monotonic() - begin
      self._known[objective] = Reference(workdir, seconds)
    return self._known[objective]


def check_equal(workdir: pathlib.Path, reference: pathlib.Path) -> None:
  """The same digest, numbers and lines, but for what is measured in seconds."""
  one, two = launching.result(workdir), launching.result(reference)
  for result in (one, two):
    del result["ledger"]["seconds"]
    result.pop("wall_seconds", None)
  assert one == two, f"{one} is not {two}"
  found, expected = launching.metrics(workdir), launching.metrics(reference)
  assert [x["step"] for x in found] == [x["step"] for x in expected]
  assert found == expected


def checkpoints(workdir: pathlib.Path) -> list[int]:
  """The steps that are listed."""
  folder = workdir / "checkpoints"
  names = [p.name for p in folder.iterdir()] if folder.exists() else []
  return sorted(int(name) for name in names if name.isdigit())


def restored(reader: Any, step: int) -> tuple[Any, dict[str, Any]]:
  """All arrays of a step, by name, and its meta."""
  leaves = reader._steps.read_body(step)["leaves"]
  wanted = {
    name: jax.ShapeDtypeStruct(shape, jax.numpy.dtype(dtype))
    for name, (shape, dtype, _) in leaves.items()
  }
  return reader.restore(wanted, step)


def check_restorable(workdir: pathlib.Path) -> list[int]:
  """Every step that is listed can be restored; which these are."""
  from lm_jax.storage.checkpoint import Checkpoints

  steps = checkpoints(workdir)
  if steps:
    with Checkpoints(workdir / "checkpoints", read_only=True) as reader:
      for step in steps:
        state, meta = restored(reader, step)
        assert int(state["step"]) == meta["ledger"]["steps"] == step
  return steps


def wait_for_an_instant(
  rng: random.Random,
  run: forking.Run,
  workdir: pathlib.Path,
  reference: Reference,
  steps: int,
) -> bool:
  """Waits for an instant of a run's life, mostly of its training.

  Returns:
    Whether it was over before.
  """
  if rng.random() < 0.3:
    instant = rng.uniform(0, reference.seconds)
    return not run.goes_on(lambda: run.age() < instant)
  before = _logged(workdir)
  step = rng.randint(min(before + 1, steps), steps)
  delay = rng.uniform(0, 0.03)
  if not run.goes_on(lambda: _logged(workdir) < step):
    return True
  instant = run.age() + delay
  return not run.goes_on(lambda: run.age() < instant)


def _logged(workdir: pathlib.Path) -> int:
  """How many steps have a line in metrics.jsonl."""
  path = workdir / "metrics.jsonl"
  return path.read_bytes().count(b'"loss"') if path.exists() else 0


def lines(workdir: pathlib.Path) -> list[dict[str, Any]]:
  """The whole lines of metrics.jsonl, of which the last may be half."""
  path = workdir / "metrics.jsonl"
  if not path.exists():
    return []
  found = []
  for line in path.read_text(encoding="utf-8").splitlines(keepends=True):
    if line.endswith("\n"):
      found.append(json.loads(line))
  return found
