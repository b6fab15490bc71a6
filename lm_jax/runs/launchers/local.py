"""Runs on this machine: one after another here, or in several processes.

A process of its own has its share of the processors. A small model leaves the
others idle, so that several at once take less time than one after another.
"""

from __future__ import annotations

import dataclasses
import time

from lm_jax.runs.launchers import base
from lm_jax.support.errors import UsageError
from lm_jax.support.options import option
from lm_jax.support.status import INTERRUPTED

# As numbers: it is open, or each run is by itself.
_WORDS = {"auto": 0, "off": 1}


@dataclasses.dataclass(frozen=True)
class Local(base.Launcher):
  """Runs in this process, or in as many processes as --parallel says."""

  together: str = option(
    "auto",
    "most seeds of an arm that take their steps as one, in this process; off:"
    " each is run by itself; auto: together where a short timing says that it"
    " is faster, on a CPU never",
  )

  def __post_init__(self) -> None:
    text = self.together
    if text not in _WORDS and not (text.isdecimal() and int(text) > 1):
      raise UsageError(
        f"--local.together={text}: must be auto, off or a number from 2 on"
      )

  @property
  def _most(self) -> int:
    known = _WORDS.get(self.together)
    return int(self.together) if known is None else known

  def check(self, batch: base.Batch) -> None:
    from lm_jax.runs.launchers import _room

    if batch.parallel > 1 and self._most > 1:
      raise UsageError(
        f"--local.together={self.together}: is for runs in one process, not in"
        f" those of --parallel={batch.parallel}; give one of the two flags"
      )
    if batch.parallel > 1:
      _room.require(batch)

  def launch(self, batch: base.Batch) -> dict[str, str]:
    from lm_jax.runs.launchers import _pool, _room

    count = batch.parallel
    if not count:
      count = 1 if self._most > 1 else _room.fastest(batch)
    count = min(count, len(batch.runs))
    if count > 1:
      return _pool.run(batch, count)
    return _in_this_process(batch, self._most)


def _in_this_process(batch: base.Batch, most: int) -> dict[str, str]:
  """Carries runs out here, so many at once at most (`grouping.groups`).

  It stops where one is interrupted.
  """
  from lm_jax.runs import grouping
  from lm_jax.runs import progress as progress_lib
  from lm_jax.runs.attempt import attempt
  from lm_jax.runs.together import execute_together

  statuses: dict[str, str] = {}
  with progress_lib.Progress(len(batch.runs), batch.progress) as progress:
    for runs in grouping.groups(batch, most):
      start = time.monotonic()
      if len(runs) > 1:
        names = ", ".join(run.config.name for run in runs)
        progress.say(f"{names}: together")
        outcomes = execute_together(runs, batch.progress)
      else:
        outcomes = [attempt(runs[0], batch.progress)]
      seconds = (time.monotonic() - start) / len(runs)
      for run, outcome in zip(runs, outcomes, strict=True):
        statuses[run.config.name] = outcome.status
        progress.ended(run.config.name, outcome, seconds)
      if INTERRUPTED in statuses.values():
        progress.say("lm_jax: interrupted; the same command goes on from here")
        break
  return statuses
