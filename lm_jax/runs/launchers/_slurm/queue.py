"""Asks SLURM about jobs, by its own programs.

Accounting (sacct) is not needed, which small clusters do without: squeue also
knows jobs that have ended, for the next five minutes (MinJobAge).
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from lm_jax.support.errors import UsageError

PROGRAMS = ("sbatch", "squeue", "scancel", "scontrol", "srun")
# States in which a job has not ended, by squeue's manual; all others are ends.
_ALIVE = {
  *("PENDING", "RUNNING", "CONFIGURING", "COMPLETING", "SUSPENDED", "STOPPED"),
  *("REQUEUED", "REQUEUE_FED", "REQUEUE_HOLD", "RESV_DEL_HOLD"),
  *("RESIZING", "SIGNALING", "SPECIAL_EXIT", "STAGE_OUT"),
}
RUNNING, CANCELLED = "RUNNING", "CANCELLED"
_SECONDS = 120  # until a program that gives no answer is stopped
_MOST_TASKS = 1000  # of an array, where SLURM does not say
# A test of what no node can do now, though one that is down may do it later; a
# job that no node ever can is refused when it is submitted.
_NOT_NOW = "node configuration is not available"


class JobState(NamedTuple):
  """A job as squeue tells it: its name, "PENDING", and why it waits."""

  name: str
  state: str
  reason: str

  @property
  def alive(self) -> bool:
    """Returns whether it has not ended."""
    return self.state in _ALIVE


def require_programs() -> None:
  """Raises UsageError if this machine has no SLURM to submit to."""
  absent = [name for name in PROGRAMS if shutil.which(name) is None]
  if absent:
    raise UsageError(
      f"--launcher=slurm: no SLURM here: {', '.join(absent)} not in PATH; run"
      " it on a login node of the cluster, or see --launcher=local and"
      " --launcher=print"
    )


def jobs(names: Sequence[str]) -> dict[str, JobState] | None:
  """Returns the jobs of these names by number, "12" or "12_3".

  None if the controller gives no answer: it may be restarting.
  """
  output = _output(
    *("squeue", "--states=all", "--array", "--noheader"),
    *(f"--name={','.join(names)}", "--format=%i|%j|%T|%r"),
  )
  if output is None:
    return None
  rows = (line.split("|", 3) for line in output.splitlines())
  return {number: JobState(*rest) for number, *rest in rows}


def state_of(number: str) -> str | None:
  """Returns the state of a job; None if the controller gives no answer."""
  output = _output("squeue", "--noheader", f"--jobs={number}", "--format=%T")
  return None if output is None else output.strip()


def cancel(name: str) -> None:
  """Cancels all jobs of a name."""
  _output("scancel", f"--name={name}")


def largest_array() -> int:
  """Returns how many jobs an array may have."""
  output = _output("scontrol", "show", "config") or ""
  for line in output.splitlines():
    key, _, value = line.partition("=")
    if key.strip() == "MaxArraySize" and value.strip().isdecimal():
      # Its numbers begin at 0 and stay below this one.
      return max(1, int(value) - 1)
  return _MOST_TASKS


def test_submission(options: Mapping[str, object]) -> None:
  """Raises UsageError if SLURM would refuse a job with these options.

  Args:
    options: of sbatch, by name.
  """
  with outside_of_jobs():
    done = subprocess.run(
      ["sbatch", "--test-only", *_words(options), "--wrap=true"],
      capture_output=True,
      encoding="utf-8",
      check=False,
    )
  if done.returncode and _NOT_NOW not in done.stderr:
    raise refused(done.stderr, options)


def refused(text: str, options: Mapping[str, object]) -> UsageError:
  """Makes the error that tells why sbatch refused a job.

  Args:
    text: what it wrote to stderr.
    options: that it was given, by name.
  """
  lines = [line.strip() for line in text.splitlines() if line.strip()]
  reason = "; ".join(dict.fromkeys(lines)) or "sbatch says nothing"
  return UsageError(
    f"--launcher=slurm: sbatch {' '.join(_words(options))}: refused: {reason}"
  )


@contextlib.contextmanager
def outside_of_jobs() -> Iterator[None]:
  """Hides the variables of the job in which this process runs, if any.

  sbatch would hand them on, and srun take them for its own.
  """
  hidden = {}
  if "SLURM_JOB_ID" in os.environ:
    hidden = {
      name: os.environ.pop(name)
      for name in list(os.environ)
      if name.startswith(("SLURM_", "SRUN_", "SUBMITIT_"))
      and name != "SLURM_CONF"
    }
  try:
    yield
  finally:
    os.environ.update(hidden)


def _words(options: Mapping[str, object]) -> list[str]:
  return [f"--{name}={value}" for name, value in options.items()]


def _output(*words: str) -> str | None:
  """Returns what one of SLURM's programs prints; None if it fails."""
  try:
    done = subprocess.run(
      words,
      capture_output=True,
      encoding="utf-8",
      check=False,
      timeout=_SECONDS,
    )
  except (OSError, subprocess.TimeoutExpired):
    return None
  return None if done.returncode else done.stdout
