"""Runs as jobs of a SLURM cluster, which saves and continues them."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from lm_jax.runs.launchers import base
from lm_jax.support.errors import UsageError
from lm_jax.support.options import option


@dataclasses.dataclass(frozen=True)
class Slurm(base.Launcher):
  """Submits a job for each run, as an array, by submitit.

  The fields say what is asked of SLURM; "" and 0 leave it to the cluster.
  """

  partition: str = option("", "of the jobs; by default the cluster's")
  account: str = option("", "that is charged; by default yours")
  qos: str = option("", "quality of service; by default yours")
  constraint: str = option(
    "",
    "features that nodes must have; on one type of processor all runs have the"
    " same bits",
  )
  time: int = option(
    240,
    "minutes that a job may take; what is not done by then is saved, requeued"
    " and continued",
    least=1,
  )
  cpus: int = option(0, "CPUs of a job; 0: as many as XLA has threads", least=0)
  memory: str = option("", "of a job, 8G; by default the partition's")
  gpus: int = option(0, "GPUs of a job", least=0)
  array_parallelism: int = option(
    100, "most jobs at a time, where --parallel does not say", least=1
  )
  signal_delay: int = option(
    90,
    "seconds before the end of --slurm.time at which a run saves; SLURM may"
    " send the signal a minute earlier",
    least=1,
  )
  setup: tuple[str, ...] = option(
    (),
    "a line of shell before each run, such as 'module load cuda'; may be given"
    " several times",
    repeat=True,
  )
  wait: bool = option(
    True, "wait for the jobs; false: return when they are submitted"
  )

  @property
  def waits(self) -> bool:  # type: ignore[override]
    return self.wait

  def check(self, batch: base.Batch) -> None:
    from lm_jax.runs.launchers._slurm import queue, submit

    if self.signal_delay >= 60 * self.time:
      raise UsageError(
        f"--slurm.signal_delay={self.signal_delay}: must be below --slurm.time,"
        f" {60 * self.time} seconds"
      )
    queue.require_programs()
    submit.need_submitit()
    if "%" in str(Path(batch.directory).absolute()):
      raise UsageError(
        f"--workdir={batch.directory}: SLURM takes % in a path for a pattern;"
        " name another directory"
      )
    queue.test_submission(self.options(batch))

  def launch(self, batch: base.Batch) -> dict[str, str]:
    from lm_jax.runs.launchers._slurm import submit, wait

    parallel = batch.parallel or self.array_parallelism
    request = submit.Request(
      self.options(batch), self.signal_delay, parallel, self.setup
    )
    submitter = submit.Submitter(batch, request)
    jobs = submitter.queued()
    jobs |= submitter.submit(
      [run for run in batch.runs if run.config.name not in jobs]
    )
    if not self.wait:
      submitter.say("not waiting; the same command waits for them")
      return {}
    return wait.wait(submitter, jobs)

  def options(self, batch: base.Batch) -> dict[str, Any]:
    """Returns what is asked of SLURM, by the names of sbatch's options."""
    options = {
      "partition": self.partition,
      "account": self.account,
      "qos": self.qos,
      "constraint": self.constraint,
      "time": self.time,
      "cpus-per-task": self.cpus or batch.threads,
      "mem": self.memory,
      "gpus-per-node": self.gpus,
    }
    return {name: value for name, value in options.items() if value}
