"""Checks the directory of a run or an experiment before it is written."""

from __future__ import annotations

import os
import pathlib
import tempfile

from lm_jax import config as config_lib
from lm_jax.config import Config
from lm_jax.storage import identity
from lm_jax.storage.identity import Change
from lm_jax.support.errors import UsageError, about, require_text

# A file that tells what an import has begun, which the next one may replace.
UNFINISHED = "import.unfinished"


def check(directory: str, flag: str = "--workdir") -> None:
  """Raises UsageError if a directory can't be written; writes nothing."""
  path = pathlib.Path(directory).absolute()
  # Checkpoints and JSON could not name it.
  require_text(path, f"{flag}={directory}")
  with about(f"{flag}={directory}"):
    try:
      while not path.exists():
        path = path.parent
    except OSError as error:  # a name too long
      raise UsageError(error.strerror) from None
    if not path.is_dir():
      raise UsageError(f"{path} is not a directory")
    if not os.access(path, os.W_OK | os.X_OK):
      raise UsageError(f"{path} can't be written")


def create(directory: str) -> pathlib.Path:
  """Makes a directory and its parents, and writes to it, or UsageError."""
  path = pathlib.Path(directory)
  check(directory)
  try:
    path.mkdir(parents=True, exist_ok=True)
    # A mount or a quota may refuse what the permissions allow.
    with tempfile.TemporaryFile(dir=path):
      pass
  except OSError as error:
    raise UsageError(
      f"--workdir={directory}: can't be written: {error.strerror}"
    ) from None
  return path


def adopted(config: Config) -> Config:
  """Fills options that a configuration leaves open from its directory's run."""
  path = pathlib.Path(config.workdir)
  if not config.workdir or not (path / "config.json").exists():
    return config
  return identity.adopted(config, config_lib.read(str(path), "--workdir"))


def check_same(config: Config) -> list[Change]:
  """Raises UsageError if config.workdir holds a run of another configuration.

  An empty or a new directory can become any run.

  Returns:
    The changes that --allow_change allows.
  """
  path = pathlib.Path(config.workdir)
  if not (path / "config.json").exists():
    if (path / "experiment.json").exists():
      raise UsageError(
        f"--workdir={path}: holds an experiment; name another directory"
      )
    return []
  old = config_lib.read(str(path), "--workdir")
  changes = identity.changes(old, identity.adopted(config, old))
  refused = identity.refused(changes, config.allow_change)
  if refused:
    raise UsageError(
      f"--workdir={path}: holds a run of {identity.differ(refused)}"
    )
  return changes
