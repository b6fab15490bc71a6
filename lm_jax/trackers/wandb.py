"""Weights & Biases: online, or offline in a directory to be synced later."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from typing import Any

from lm_jax.support.status import DONE, INTERRUPTED
from lm_jax.trackers import base


class WeightsAndBiases(base.Tracker):
  """Sends a run to the project WANDB_PROJECT, or "lm_jax".

  Its group is the experiment and its job type the arm. WANDB_MODE=offline
  writes wandb/ in the run's directory, or in WANDB_DIR; of a process that was
  killed (SIGKILL) such files may lack the last points.
  """

  package = "wandb"
  extra = "wandb"

  def start(self, run: base.Tracked, settings: Mapping[str, Any]) -> str:
    import wandb

    identifier = run.identifier or secrets.token_hex(8)
    self._run = wandb.init(
      project=os.environ.get("WANDB_PROJECT") or "lm_jax",
      dir=os.environ.get("WANDB_DIR") or run.directory,
      group=run.experiment,
      job_type=run.arm,
      name=run.name,
      id=identifier,
      resume="allow",
      # Whatever else of this process is tracked goes on.
      reinit="create_new",
      config={path: base.plain(value) for path, value in settings.items()},
      settings=wandb.Settings(console="off", silent=True),
    )
    # The server ignores steps that it has. Files would have them twice.
    self.rewinds = not self._run.offline
    return identifier

  def log(self, step: int, values: Mapping[str, float]) -> None:
    self._run.log(dict(values), step=step)

  def finish(self, result: Mapping[str, Any]) -> None:
    self._run.summary.update(base.finals(result))
    self._run.summary["status"] = result["status"]
    if result["status"] == INTERRUPTED:
      self._run.mark_preempting()
    self._run.finish(exit_code=0 if result["status"] == DONE else 1)
