"""The interface of trackers, which show runs while they go on."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar

PACKAGE = "lm_jax.trackers"
FINAL = "final/"  # stands before what is measured at the end


@dataclasses.dataclass(frozen=True)
class Tracked:
  """A run, as trackers name, group and continue it.

  directory: of the run.
  root: of its experiment; of a run alone, its own.
  experiment, arm, name: the groups that it belongs to, and its own name.
  step: that it continues from; 0 at the beginning.
  identifier: that `Tracker.start` returned for it before; "" the first time.
  """

  directory: str
  root: str
  experiment: str
  arm: str
  name: str
  step: int
  identifier: str = ""


class Tracker:
  """Sends what a run logs to a program that shows it.

  What a method raises is told once on stderr, and ends the tracking of the run,
  never the run. It is called by one process, outside of compiled code.

  package, extra: that it needs, and the extra of lm_jax that has it.
  rewinds: whether it forgets, or ignores, by itself what it has twice, so that
    it is sent the points after `Tracked.step` again; others are not.
  """

  package: ClassVar[str] = ""
  extra: ClassVar[str] = ""
  rewinds: bool = False

  def start(self, run: Tracked, settings: Mapping[str, Any]) -> str:
    """Begins, or continues `run.identifier`; imports all that is needed.

    Args:
      settings: the configuration by the flags' paths, defaults written out.

    Returns:
      The run's identifier in the tracker, by which it is continued; another
      one than before where that is lost, and "" where there is none.
    """
    raise NotImplementedError

  def log(self, step: int, values: Mapping[str, float]) -> None:
    """Sends finite numbers of a step; a step may have several calls."""
    raise NotImplementedError

  def finish(self, result: Mapping[str, Any]) -> None:
    """Sends the end: `status`, `step`, `metrics` and more of result.json.

    An interrupted run may be continued later.
    """
    raise NotImplementedError


def plain(value: Any) -> str | float | bool | None:
  """Returns a setting as a number, a text, true, false or nothing."""
  if value is None or isinstance(value, bool | int | float | str):
    return value
  if isinstance(value, list | tuple):
    return ",".join(map(str, value))
  return str(value)


def finals(result: Mapping[str, Any]) -> dict[str, float]:
  """Returns what was measured at the end: finite numbers by final/NAME."""
  numbers = dict(result.get("metrics") or {})
  return {
    f"{FINAL}{name}": float(value)
    for name, value in numbers.items()
    if isinstance(value, int | float) and abs(value) < float("inf")
  }
