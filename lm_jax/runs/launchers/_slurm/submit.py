"""Submits runs to SLURM, and finds those that were submitted before.

<experiment>/slurm/jobs.json says which runs are jobs: whoever calls again, even
after a kill or from another terminal, finds the jobs that are still queued, and
submits the others.

A call that is killed submits nothing twice: the name of a submission is written
down before SLURM gets it. Where the file has a name without the number of a
job, whatever SLURM knows by that name is cancelled and submitted anew.
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
import secrets
import shlex
import site
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tqdm import tqdm

from lm_jax.runs.attempt import Runnable
from lm_jax.runs.launchers._slurm import queue
from lm_jax.runs.launchers._slurm.job import Job
from lm_jax.runs.launchers._slurm.store import Store, Submission
from lm_jax.runs.launchers.base import Batch, as_json
from lm_jax.support import optional, plugins
from lm_jax.support.errors import UsageError

# The folder that holds the package.
_PACKAGE = __name__.partition(".")[0]
_ROOT = next(p for p in Path(__file__).parents if p.name == _PACKAGE).parent
# A job is requeued as often as it takes; `Job` gives up one that stands still.
_REQUEUES = 10**6
_SECONDS = 120  # until cancelled jobs must be gone


def need_submitit() -> Any:
  """Returns the library, or raises UsageError."""
  return optional.need("submitit", "--launcher=slurm", "slurm")


@dataclasses.dataclass(frozen=True)
class Request:
  """A request of SLURM, for each job.

  options: by the names of sbatch's options.
  signal_delay: seconds before the end of its time at which a run saves.
  parallel: most jobs at a time.
  setup: lines of shell before the run.
  """

  options: Mapping[str, Any]
  signal_delay: int
  parallel: int
  setup: tuple[str, ...]


class Submitter:
  """Submits the runs of an experiment.

  Args:
    batch: the runs, and the threads of each.
    request: of SLURM.
  """

  def __init__(self, batch: Batch, request: Request):
    self.batch = batch
    self.store = Store(batch.directory)
    self._request = request

  def say(self, line: str) -> None:
    """Writes a line to stderr."""
    if self.batch.progress:
      tqdm.write(f"lm_jax: {line}", file=sys.stderr)

  def queued(self) -> dict[str, str]:
    """Returns the jobs of earlier calls that have not ended, by run.

    Submissions that were cut short are cancelled, and those that have ended
    are removed.

    Raises:
      UsageError: SLURM does not tell.
    """
    if not self.store.names():
      return {}
    jobs = self._without_cut_short()
    wanted = {run.config.name for run in self.batch.runs}
    own: dict[str, str] = {}
    for submission in self.store:
      alive = {
        run: number
        for run, number in submission.numbers().items()
        if number in jobs and jobs[number].alive
      }
      own |= {run: number for run, number in alive.items() if run in wanted}
      if not alive:
        self.store.remove(submission.name)
    if own:
      self.say(f"{_runs(own)} still queued, from before: {_numbers(own)}")
    return own

  def _without_cut_short(self) -> dict[str, queue.JobState]:
    """Cancels submissions that were cut short; returns all jobs by number."""
    cut_short = [s.name for s in self.store if not s.job]
    for name in cut_short:
      queue.cancel(name)
    deadline = time.monotonic() + _SECONDS
    while True:
      jobs = queue.jobs(self.store.names())
      if jobs is None:
        raise UsageError(
          "--launcher=slurm: squeue gives no answer, and without it nobody"
          " knows which runs are still queued; try again later"
        )
      if not any(j.alive and j.name in cut_short for j in jobs.values()):
        return jobs
      if time.monotonic() > deadline:
        raise UsageError(
          f"--launcher=slurm: the jobs {', '.join(cut_short)} of a call that"
          " was killed don't end; scancel them"
        )
      time.sleep(1)

  def submit(self, runs: Sequence[Runnable]) -> dict[str, str]:
    """Submits runs; returns the job of each by its name.

    Raises:
      UsageError: SLURM refuses them.
    """
    jobs: dict[str, str] = {}
    after = ""
    most = queue.largest_array() if runs else 1
    for start in range(0, len(runs), most):
      part = runs[start : start + most]
      names = tuple(run.config.name for run in part)
      submission = Submission(f"lm_jax-{secrets.token_hex(6)}", names)
      self.store.put(submission)
      try:
        job = self._submit_array(part, submission.name, after)
      except UsageError:
        self.store.remove(submission.name)
        raise
      submission = Submission(submission.name, names, job)
      self.store.put(submission)
      jobs |= submission.numbers()
      # One array after the other, so that the most at a time are no more.
      after = f"afterany:{job}"
    if jobs:
      self.say(
        f"{_runs(jobs)} submitted: {_numbers(jobs)}; what they print is in"
        f" {self.store.folder}/"
      )
    return jobs

  def _submit_array(
    self, runs: Sequence[Runnable], name: str, after: str
  ) -> str:
    submitit, request = need_submitit(), self._request
    executor = submitit.SlurmExecutor(
      self.store.folder, max_num_timeout=_REQUEUES
    )
    cpus = request.options["cpus-per-task"]
    executor.update_parameters(
      job_name=name,
      time=request.options["time"],
      signal_delay_s=request.signal_delay,
      array_parallelism=request.parallel,
      dependency=after or None,
      wckey=None,
      setup=[*setup(), *request.setup],
      # Since 22.05 srun does not take it from the job.
      srun_args=[f"--cpus-per-task={cpus}"],
      additional_parameters={"requeue": True, **request.options},
    )
    jobs = [
      Job(
        as_json(run.config),
        tuple(run.config.allow_change),
        self.batch.threads,
        tuple(plugins.directories()),
      )
      for run in runs
    ]
    # submitit also prints what it raises.
    quiet = contextlib.redirect_stderr(io.StringIO())
    with queue.outside_of_jobs(), quiet:
      try:
        first = executor.submit_array(jobs)[0]
      except submitit.core.utils.FailedJobError as error:
        raise queue.refused(str(error), request.options) from error
    return first.job_id.partition("_")[0]


def setup() -> Iterator[str]:
  """Makes lines of shell by which a job finds this code."""
  # One that is installed is found anyway.
  if str(_ROOT) not in {*site.getsitepackages(), site.getusersitepackages()}:
    root = shlex.quote(str(_ROOT))
    yield f'export PYTHONPATH={root}"${{PYTHONPATH:+:$PYTHONPATH}}"'
  # The signal that its handler is for, whatever the user's shell says.
  yield "export SUBMITIT_PREEMPT_SIGNAL=USR2"


def _runs(jobs: Mapping[str, str]) -> str:
  return "1 run is" if len(jobs) == 1 else f"{len(jobs)} runs are"


def _numbers(jobs: Mapping[str, str]) -> str:
  """Names some jobs, "jobs 12_0 to 12_7"."""
  numbers = list(jobs.values())
  if len(numbers) == 1:
    return f"job {numbers[0]}"
  return f"jobs {numbers[0]} to {numbers[-1]}"
