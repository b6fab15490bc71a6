"""Runs on this machine: one after another here, or in several processes.

A process of its own has its share of the processors. A small model leaves the
others idle, so that several at once take less time than one after another.
"""

from __future__ import annotations

import dataclasses
import time

from lm_jax.runs.launchers import base
from lm_jax.support.status import INTERRUPTED


@dataclasses.dataclass(frozen=True)
class Local(base.Launcher):
  """Runs in this process, or in as many processes as --parallel says."""

  def check(self, batch: base.Batch) -> None:
    from lm_jax.runs.launchers import _room

    if batch.parallel > 1:
      _room.require(batch)

  def launch(self, batch: base.Batch) -> dict[str, str]:
    from lm_jax.runs.launchers import _pool, _room

    count = min(batch.parallel or _room.fastest(batch), len(batch.runs))
    if count > 1:
      return _pool.run(batch, count)
    return _one_after_another(batch)


def _one_after_another(batch: base.Batch) -> dict[str, str]:
  """Carries runs out in this process; stops where one is interrupted."""
  from lm_jax.runs import progress as progress_lib
  from lm_jax.runs.attempt import attempt

  statuses: dict[str, str] = {}
  with progress_lib.Progress(len(batch.runs), batch.progress) as progress:
    for run in batch.runs:
      start = time.monotonic()
      outcome = attempt(run, batch.progress)
      statuses[run.config.name] = outcome.status
      progress.ended(run.config.name, outcome, time.monotonic() - start)
      if outcome.status == INTERRUPTED:
        progress.say("lm_jax: interrupted; the same command goes on from here")
        break
  return statuses
