"""Deletes checkpoints of a finished run that nothing reads any more."""

from __future__ import annotations

import os
import secrets
import shutil
from pathlib import Path
from typing import NamedTuple

from lm_jax.storage import disk, trash
from lm_jax.storage.checkpoint import Checkpoints
from lm_jax.storage.selection import Selection
from lm_jax.storage.steps import TRASH
from lm_jax.support.errors import UsageError, about

FOLDER = "checkpoints"
_PARTIAL = ".orbax-checkpoint-tmp"  # in the name of a save that was cut short


class Plan(NamedTuple):
  """Checkpoints of a run that are deleted, and those that stay.

  folder: of the checkpoints.
  kept: steps that stay.
  freed: steps that go.
  leftovers: folders that killed processes have left, which go, too.
  """

  folder: Path
  kept: tuple[int, ...]
  freed: tuple[int, ...]
  leftovers: tuple[Path, ...]

  @property
  def paths(self) -> list[Path]:
    """Returns the folders that go."""
    return [self.folder / str(step) for step in self.freed] + [*self.leftovers]


def plan(run: Path, chosen: bool) -> Plan | None:
  """Works out what may go; None of a run that has no checkpoints.

  The last step that can be read stays, which takes reading it, and what comes
  after it.

  Args:
    run: its directory, which nobody writes meanwhile.
    chosen: whether the run is fine-tuning, whose model is the step that did
      best, which stays as well.

  Raises:
    UsageError: no step can be read.
  """
  folder = run / FOLDER
  if not trash.is_directory(folder):
    return None
  with Checkpoints(folder, read_only=True) as checkpoints:
    steps = checkpoints.steps()
    last = checkpoints.last_intact()
    meta = (checkpoints.meta() or {}) if chosen else {}
  if steps and last is None:
    raise UsageError(f"{folder}: no checkpoint can be read, so that all stay")
  best = Selection(0, meta.get("curve", ())).best
  kept = [step for step in steps if step >= (last or 0) or step == best]
  leftovers = [
    path
    for path in sorted(folder.iterdir())
    if trash.is_directory(path)
    and (_PARTIAL in path.name or path.name == TRASH)
  ]
  freed = tuple(step for step in steps if step not in kept)
  return Plan(folder, tuple(kept), freed, tuple(leftovers))


def free(planned: Plan) -> None:
  """Deletes what a plan says; a reader never sees half of a step.

  Raises:
    UsageError: the disk does not let it.
  """
  bin_ = planned.folder / TRASH
  with about(planned.folder), disk.disk_errors_as_usage("its checkpoints"):
    if os.path.lexists(bin_) and not trash.is_directory(bin_):
      raise UsageError(f"{TRASH} is a link or a file; a folder was expected")
    for path in planned.paths:
      if path == bin_:
        continue
      if not trash.is_directory(path):
        raise UsageError(f"{path.name} is a link, or gone")
      bin_.mkdir(exist_ok=True)
      path.rename(bin_ / f"{path.name}-{secrets.token_hex(4)}")
    if trash.is_directory(bin_):
      shutil.rmtree(bin_)
