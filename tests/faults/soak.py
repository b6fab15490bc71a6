"""Runs the trials of a fault and counts those that held."""

from __future__ import annotations

import dataclasses
import datetime
import importlib
import json
import pathlib
import shutil
import sys
import tempfile
import time
import traceback
from typing import Any

from . import forking

_OTHERS = (
  *("__init__", "__main__", "soak", "leftovers"),
  *("launching", "forking", "runs", "stored", "places"),
)


@dataclasses.dataclass
class Tally:
  """What became of the trials of a fault.

  first: the seed of the first one; failures: (seed, why) of those that did
  not hold; seconds: of all.
  """

  fault: str
  first: int
  tried: int = 0
  failures: list[tuple[int, str]] = dataclasses.field(default_factory=list)
  seconds: float = 0.0

  @property
  def held(self) -> int:
    return self.tried - len(self.failures)

  def line(self) -> str:
    """For a terminal, with the seeds to be replayed."""
    text = (
      f"{self.fault}: seeds {self.first} to {self.first + self.tried - 1}: "
      f"{self.tried} tried, {self.held} held, {self.seconds:.0f} s"
    )
    return "\n".join(
      [text, *(f"  seed {s}: {why}" for s, why in self.failures)]
    )

  def append(self, path: pathlib.Path) -> None:
    """Adds this part of a soak to a file of JSON lines."""
    part = dataclasses.asdict(self) | {
      "date": datetime.date.today().isoformat()
    }
    with path.open("a", encoding="utf-8") as file:
      file.write(json.dumps(part) + "\n")


def names() -> list[str]:
  """Every fault: the files of this folder."""
  folder = pathlib.Path(__file__).parent
  return sorted(
    path.stem
    for path in folder.glob("*.py")
    if path.stem not in _OTHERS and not path.stem.endswith("_test")
  )


def fault(name: str) -> Any:
  return importlib.import_module(f".{name}", __package__)


def listing() -> str:
  lines = []
  for name in names():
    module = fault(name)
    summary = (module.__doc__ or "").partition("\n")[0]
    lines.append(f"{name:12} {module.SHORT:3} {module.LONG:4}  {summary}")
  return "\n".join(["fault      short long", *lines])


def run(
  name: str,
  count: int | None = None,
  first: int = 0,
  progress: bool = False,
  keep: pathlib.Path | None = None,
) -> Tally:
  """Tries a fault so many times, LONG by default; goes on after a failure.

  keep: a folder for what the trials that do not hold leave behind.
  """
  module = fault(name)
  tally = Tally(name, first)
  start = time.monotonic()
  with tempfile.TemporaryDirectory(prefix=f"fault-{name}-") as temporary:
    root = pathlib.Path(temporary)
    shared = None
    if hasattr(module, "setup"):
      (root / "shared").mkdir()
      shared = module.setup(root / "shared")
    try:
      count = module.LONG if count is None else count
      for seed in range(first, first + count):
        with tempfile.TemporaryDirectory(dir=root) as folder:
          try:
            module.trial(seed, pathlib.Path(folder), shared)
          except AssertionError as error:
            why = " ".join(str(error).split())[:500]
            where = traceback.extract_tb(error.__traceback__)[-1]
            tally.failures.append((seed, f"{why} ({where.name})"))
            if keep is not None:
              shutil.copytree(folder, keep / f"{name}-{seed}")
          finally:
            forking.kill_all()
        tally.tried += 1
        tally.seconds = time.monotonic() - start
        if progress and sys.stderr.isatty():
          print(tally.line().partition("\n")[0], end="\r", file=sys.stderr)
    finally:
      if hasattr(shared, "close"):
        shared.close()
  return tally


def table(path: pathlib.Path) -> str:
  """The parts of a soak summed, in Markdown; a seed counts once."""
  parts: dict[str, list[dict[str, Any]]] = {}
  for line in path.read_text(encoding="utf-8").splitlines():
    part = json.loads(line)
    parts.setdefault(part["fault"], []).append(part)
  rows = [
    "| fault | what must hold | tried | held | s |",
    "|---|---|--:|--:|--:|",
  ]
  for name, found in parts.items():
    module = fault(name)
    # A seed that was tried again, after a repair, counts as it came out last.
    held: dict[int, bool] = {}
    for part in found:
      failed = {seed for seed, _ in part["failures"]}
      for seed in range(part["first"], part["first"] + part["tried"]):
        held[seed] = seed not in failed
    summary = (module.__doc__ or "").partition("\n")[0].rstrip(".")
    seconds = sum(part["seconds"] for part in found)
    rows.append(
      f"| {summary} | {module.HOLDS} | {len(held)} | {sum(held.values())} "
      f"| {seconds:.0f} |"
    )
  return "\n".join(rows)
