"""Tells how the runs of an experiment stand, from their files alone.

So it may be asked from another terminal while they go on.
"""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import sys
import time
from typing import Any

from lm_jax import config as config_lib
from lm_jax.config.budget import Budget
from lm_jax.report import blocks, collect
from lm_jax.report.metrics import METRICS
from lm_jax.report.metrics import show as show_metric
from lm_jax.report.preregistered import RECORD, Seal
from lm_jax.report.run import Planned
from lm_jax.runs import record
from lm_jax.storage import lock, result_file
from lm_jax.support.errors import UsageError
from lm_jax.support.status import DONE
from lm_jax.training.progress import duration

# States besides those of support/status.py.
RUNNING, STARTED, WAITING = "running", "started", "not started"
_EVERY = 2.0  # seconds between two looks
_TAIL = 2**16  # bytes at the end of metrics.jsonl in which a measure stands
_SHOWN = ("minimal_pairs", "validation_loss", "loss")


@dataclasses.dataclass(frozen=True)
class Line:
  """The state of a run.

  state: of support/status.py, or RUNNING, STARTED (it logged steps, and nobody
    works on it), WAITING.
  share: of its budget that is spent, 0 to 1.
  speed: tokens a second, of its training.
  left: seconds of training until the budget is spent.
  measure: what was measured last, in words.
  """

  name: str
  state: str
  share: float = 0.0
  speed: float | None = None
  left: float | None = None
  measure: str = ""

  def cells(self) -> tuple[str, ...]:
    return (
      self.name,
      self.state,
      f"{100 * min(self.share, 1):.0f} %",
      "" if self.speed is None else f"{self.speed:,.0f}",
      "" if self.left is None else duration(self.left),
      self.measure,
    )


def lines(directory: str) -> list[Line]:
  """Reads how each run of an experiment stands.

  Raises:
    UsageError: the directory holds no experiment.
  """
  about, planned = record.read(directory)
  if not about:
    raise UsageError(
      f"--workdir={directory}: holds no {record.FILE}; --status tells how an"
      " experiment stands that `compare` has begun"
    )
  seal = collect.load(directory).seal if about.get(RECORD) else None
  return [
    _line(
      pathlib.Path(directory, "runs", one.name),
      one,
      None if seal and one.name in seal.visible else seal,
    )
    for one in planned
  ]


def text(directory: str) -> str:
  """Returns a table of all runs, with their number by state in front."""
  rows = lines(directory)
  counts: dict[str, int] = {}
  for row in rows:
    counts[row.state] = counts.get(row.state, 0) + 1
  head = ", ".join(f"{count} {state}" for state, count in counts.items())
  rest = sum(row.left or 0 for row in rows)
  if rest:
    head += f"; {duration(rest)} of training left in those that were begun"
  names = ("run", "state", "share", "tokens/s", "left", "last measure")
  table = blocks.Table(names, tuple(row.cells() for row in rows), (0, 1, 5))
  return blocks.plain([blocks.Text(f"{directory}: {head}."), table])


def follow(directory: str) -> int:
  """Prints the table; on a terminal again, as long as a run goes on."""
  while True:
    table = text(directory)
    print(table, end="", flush=True)
    goes_on = any(row.state == RUNNING for row in lines(directory))
    if not goes_on or not sys.stdout.isatty():
      return 0
    try:
      time.sleep(_EVERY)
    except KeyboardInterrupt:
      return 0
    # Back to the first line of the table, and from there on all anew.
    print(f"\x1b[{table.count(chr(10))}F\x1b[J", end="")


def _line(folder: pathlib.Path, planned: Planned, seal: Seal | None) -> Line:
  last, measured = _last(folder / "metrics.jsonl")
  measure = _words(measured, seal)
  path = folder / result_file.FILE
  status = ""
  if path.exists():
    result = result_file.read(path, f"remove it to run {planned.name} again")
    status = result["status"]
    measure = _words(result.get("metrics") or {}, seal) or measure
  if lock.is_held(folder):
    state = RUNNING
  else:
    state = status or (STARTED if last else WAITING)
  if state == DONE:
    return Line(planned.name, state, 1.0, _speed(last), None, measure)
  share = _share(folder, last)
  left = None
  if 0 < share < 1 and last.get("seconds"):
    left = last["seconds"] / share * (1 - share)
  return Line(planned.name, state, share, _speed(last), left, measure)


def _last(path: pathlib.Path) -> tuple[dict[str, Any], dict[str, Any]]:
  """Returns the last logged step, and the last one that was measured."""
  if not path.exists():
    return {}, {}
  with path.open("rb") as file:
    file.seek(max(0, path.stat().st_size - _TAIL), os.SEEK_SET)
    tail = file.read().decode("utf-8", "replace").splitlines()
  last: dict[str, Any] = {}
  for line in reversed(tail):
    try:
      row = json.loads(line)
    except ValueError:  # cut short, by a kill or by the seek
      continue
    last = last or row
    if "validation_loss" in row:
      return last, row
  return last, last


def _words(values: dict[str, Any], seal: Seal | None) -> str:
  """Names the first measure of those that people look at, and may see."""
  for name in _SHOWN:
    if seal is not None and seal.hides(name):
      continue
    if isinstance(values.get(name), int | float):
      if name not in METRICS:
        return f"{name} {values[name]:.4g}"
      unit = " %" if METRICS[name].unit == "%" else ""
      return f"{METRICS[name].label} {show_metric(name, values[name])}{unit}"
  return ""


def _speed(last: dict[str, Any]) -> float | None:
  tokens, seconds = last.get("tokens"), last.get("seconds")
  return tokens / seconds if tokens and seconds else None


def _share(folder: pathlib.Path, last: dict[str, Any]) -> float:
  """Returns the share of the budget that the last logged step had spent."""
  if not last or not (folder / "config.json").exists():
    return 0.0
  budget = Budget.parse(config_lib.read(str(folder), "--workdir").budget)
  spent = last.get("step" if budget.currency == "steps" else budget.currency)
  return float(spent or 0) / budget.amount
