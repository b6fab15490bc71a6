"""Prints a command for each run, for Kubernetes, Slurm by hand, any queue."""

from __future__ import annotations

import dataclasses

from lm_jax.config.as_flags import as_flags
from lm_jax.runs.launchers import base
from lm_jax.support import invocation


@dataclasses.dataclass(frozen=True)
class Print(base.Launcher):
  """Runs nothing: a line of the shell for each run goes to standard output.

  Its bits are those of a run here, where the processor is of the same kind. A
  run that was made elsewhere counts as soon as its directory is copied to
  runs/ of the experiment's.
  """

  waits = False

  def launch(self, batch: base.Batch) -> dict[str, str]:
    for run in batch.runs:
      # Sums on a CPU are divided among threads.
      threads = f"PJRT_NPROC={batch.threads}"
      line = invocation.line(["train", *as_flags(run.config)])
      print(f"{threads} {line}")
    return {}
