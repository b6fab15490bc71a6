"""One run as a job of SLURM, which submitit calls on a node.

It imports nothing heavy, since submitit would lose a signal meanwhile.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

from lm_jax.runs.launchers._slurm import queue

# Starts of a run without a step between them, after which it is given up.
_MOST_IDLE = 3
# Times that a controller without an answer is asked again, and seconds between.
_TRIES, _PAUSE = 12, 5


@dataclasses.dataclass(frozen=True)
class Job:
  """Makes one run; if it is interrupted, submitit requeues it.

  config: the run's configuration, as JSON.
  allow_change: what JSON leaves out, the options that may have changed.
  threads: of XLA's pool, whatever the node has; the bits depend on it.
  plugins: directories of --plugins.
  step: that the run had reached when it was last interrupted.
  idle: interruptions in a row before which it made no step.
  """

  config: str
  allow_change: tuple[str, ...]
  threads: int
  plugins: tuple[str, ...] = ()
  step: int = 0
  idle: int = 0

  def __call__(self) -> None:
    """Runs, and ends the process with the exit code of the run's status."""
    from lm_jax.support.status import EXIT, INTERRUPTED
    from lm_jax.training.interruption import Interruption

    # submitit's handler: it calls `checkpoint`, requeues the job and exits.
    requeue: Any = signal.getsignal(signal.SIGUSR2)
    with Interruption(raises=True) as interruption:
      try:
        status = self._run()
      except KeyboardInterrupt:
        status = INTERRUPTED
      interruption.ignore()  # SLURM sends several
    print(f"lm_jax: {status}", file=sys.stderr, flush=True)
    if status != INTERRUPTED:
      sys.exit(EXIT[status])
    if _still_wanted():
      with contextlib.suppress(SystemExit):
        requeue(signal.SIGUSR2, None)
    # A save that failed leaves threads of orbax that wait for one another.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(EXIT[status])

  def checkpoint(self) -> Any:
    """Returns what submitit is to run in the requeued job; None to end it."""
    from submitit.helpers import DelayedSubmission

    step = step_of(self._workdir())
    idle = 0 if step > self.step else self.idle + 1
    if idle >= _MOST_IDLE:
      print(
        f"lm_jax: not requeued: no step in {idle} starts; a longer"
        " --slurm.time is needed",
        file=sys.stderr,
      )
      return None
    return DelayedSubmission(dataclasses.replace(self, step=step, idle=idle))

  def _run(self) -> str:
    from lm_jax.devices import memory
    from lm_jax.support import machine, plugins

    memory.keep_freed_memory()
    # Everything heavy is imported after this, and counts the processors.
    machine.use_threads(self.threads)
    for directory in self.plugins:
      plugins.add(directory)
    from lm_jax import config as config_lib
    from lm_jax.runs.attempt import attempt
    from lm_jax.runs.run import Run

    config = config_lib.from_json(self.config)
    config = dataclasses.replace(config, allow_change=self.allow_change)
    outcome = attempt(Run(config), progress=True)
    if outcome.error:
      print(f"lm_jax: {outcome.error}", file=sys.stderr)
    return outcome.status

  def _workdir(self) -> Path:
    import json

    return Path(json.loads(self.config)["workdir"])


def _still_wanted() -> bool:
  """Returns whether SLURM lets the job run, which it has been told to end.

  One that was cancelled, or is past its time, is being completed by now; to
  requeue it would bring it to life again.
  """
  number = os.environ["SLURM_JOB_ID"]
  if "SLURM_ARRAY_JOB_ID" in os.environ:
    # An array and the last of its jobs have the same SLURM_JOB_ID.
    array = os.environ["SLURM_ARRAY_JOB_ID"]
    number = f"{array}_{os.environ['SLURM_ARRAY_TASK_ID']}"
  for _ in range(_TRIES):
    state = queue.state_of(number)
    if state is not None:
      return state == queue.RUNNING
    time.sleep(_PAUSE)
  return False


def step_of(workdir: Path) -> int:
  """Returns the step of the last checkpoint of a run; 0 if it has none."""
  names = (path.name for path in (workdir / "checkpoints").glob("*"))
  return max((int(name) for name in names if name.isdecimal()), default=0)
