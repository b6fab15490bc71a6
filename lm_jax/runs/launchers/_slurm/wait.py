"""Waits for jobs, and tells how their runs ended."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

from lm_jax.runs import progress as progress_lib
from lm_jax.runs.attempt import Outcome, is_complete, status_of
from lm_jax.runs.launchers._slurm import queue
from lm_jax.runs.launchers._slurm.job import step_of
from lm_jax.runs.launchers._slurm.submit import Submitter
from lm_jax.support.status import FAILED, INTERRUPTED

# Seconds between two looks at the queue: the first, and the most.
_FIRST, _MOST = 1.0, 15.0
# Ends of jobs of which runs are innocent, and "", not known to SLURM any more.
_OUTSIDE = {"TIMEOUT", "NODE_FAIL", "PREEMPTED", "BOOT_FAIL", "REVOKED", ""}
# An end that would come again.
_MEMORY = "OUT_OF_MEMORY"
# Words of the reasons why a job waits until somebody does something.
_STUCK = (
  *("Held", "held", "PartitionTimeLimit", "PartitionNodeLimit"),
  *("BadConstraints", "AssocMax", "QOSMax", "ReqNodeNotAvail"),
)


def wait(submitter: Submitter, jobs: Mapping[str, str]) -> dict[str, str]:
  """Waits until all jobs have ended; returns the status of each run.

  The user may stop it at any time: the jobs go on.

  Args:
    submitter: that has submitted them, and does so again where it may help.
    jobs: the number of each run's job.
  """
  shown = submitter.batch.progress
  with progress_lib.Progress(len(jobs), shown) as progress:
    waiting = _Waiting(submitter, jobs, progress)
    try:
      while waiting.jobs:
        waiting.look()
    except KeyboardInterrupt:
      progress.say(
        f"lm_jax: interrupted; jobs that go on: {len(waiting.jobs)}; the same"
        " command waits for them again"
      )
      return waiting.statuses | dict.fromkeys(waiting.jobs, INTERRUPTED)
  return waiting.statuses


class _Waiting:
  """The jobs that have not ended, and the statuses of runs whose have."""

  def __init__(
    self,
    submitter: Submitter,
    jobs: Mapping[str, str],
    progress: progress_lib.Progress,
  ):
    self.jobs = dict(jobs)
    self.statuses: dict[str, str] = {}
    self._runs = {run.config.name: run for run in submitter.batch.runs}
    self._submitter, self._progress = submitter, progress
    self._begin, self._pause = time.monotonic(), _FIRST
    self._answers = True
    self._reasons: dict[str, str] = {}  # that were told, by run
    self._ended: set[str] = set()  # runs whose job had ended at the last look
    # The steps of runs when they were submitted once more.
    self._again: dict[str, int] = {}

  def look(self) -> None:
    """Sleeps, and looks at all jobs."""
    time.sleep(self._pause)
    self._pause = min(_MOST, 1.2 * self._pause)
    states = queue.jobs(self._submitter.store.names())
    if states is None:
      if self._answers:
        self._progress.say("lm_jax: squeue gives no answer; waiting for one")
      self._answers = False
      return
    self._answers = True
    again = [
      name
      for name, number in list(self.jobs.items())
      if self._look_at(name, number, states.get(number))
    ]
    if again:
      self.jobs |= self._submitter.submit([self._runs[name] for name in again])

  def _look_at(
    self, name: str, number: str, job: queue.JobState | None
  ) -> bool:
    """Looks at one job; returns whether to submit its run again."""
    config = self._runs[name].config
    if job is not None and job.alive:
      self._ended.discard(name)
      self._tell_if_stuck(name, number, job.reason)
      return False
    if is_complete(config):
      self._settle(name, Outcome(status_of(config)))
      return False
    if name not in self._ended:
      # A shared file system may show the result a little later.
      self._ended.add(name)
      self._pause = _FIRST
      return False
    self._ended.remove(name)
    state, status = job.state if job is not None else "", status_of(config)
    how = f"job {number} ended ({state})"
    if not state:
      how = f"SLURM no longer knows job {number}"
    if status == FAILED:
      self._settle(name, Outcome(FAILED, f"job {number}"))
    elif state == queue.CANCELLED:
      self._settle(name, Outcome(INTERRUPTED, f"job {number} was cancelled"))
    elif state != _MEMORY and self._may_help(name):
      self._progress.say(f"{name}: {how}; once more")
      return True
    elif state in _OUTSIDE or status == INTERRUPTED:
      self._settle(name, Outcome(INTERRUPTED, how))
    else:
      log = Path(self._submitter.store.folder, f"{number}_0_log.err")
      self._settle(name, Outcome(FAILED, f"{how} without a result: {log}"))
    return False

  def _may_help(self, name: str) -> bool:
    """Returns whether to submit a run again: once, or it has made steps."""
    step = step_of(Path(self._runs[name].config.workdir))
    if self._again.get(name, -1) >= step:
      return False
    self._again[name] = step
    return True

  def _tell_if_stuck(self, name: str, number: str, reason: str) -> None:
    stuck = any(word in reason for word in _STUCK)
    if stuck and self._reasons.get(name) != reason:
      self._progress.say(f"{name}: job {number} waits: {reason}")
    self._reasons[name] = reason

  def _settle(self, name: str, outcome: Outcome) -> None:
    del self.jobs[name]
    self.statuses[name] = outcome.status
    self._pause = _FIRST
    self._progress.ended(name, outcome, time.monotonic() - self._begin)
