"""Runs whose names were made when only ASCII letters were kept in them.

They keep these names, so that the same command goes on with them.
"""

from __future__ import annotations

import dataclasses
import pathlib

from lm_jax.config import Config
from lm_jax.runs import record, spends
from lm_jax.runs.grid import Crossed
from lm_jax.runs.run import Run
from lm_jax.support.errors import UsageError


def adopt(crossed: Crossed, directory: str) -> Crossed:
  """Gives arms their former names where a directory holds their runs."""
  runs, places = crossed.runs, dict(crossed.places)
  for arm, before in crossed.former.items():
    own = [run for run in runs if run.arm == arm]
    named = [
      dataclasses.replace(
        run, arm=before, name=before + run.name.removeprefix(arm)
      )
      for run in own
    ]
    placed = spends.recall(directory, record.place(named, directory))
    if any(map(_is_begun, placed)):
      changed = {old.name: new for old, new in zip(own, named, strict=True)}
      runs = [changed.get(run.name, run) for run in runs]
      places = {
        before if name == arm else name: place for name, place in places.items()
      }
  return crossed._replace(runs=runs, places=places)


def _is_begun(config: Config) -> bool:
  """Returns whether config.workdir holds a run of this configuration."""
  if not pathlib.Path(config.workdir, "config.json").exists():
    return False
  try:
    Run(config)
  except UsageError:
    return False
  return True
