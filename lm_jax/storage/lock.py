"""Allows only one process at a time in a run directory."""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
from collections.abc import Iterator
from pathlib import Path

from lm_jax.storage import disk
from lm_jax.support.errors import UsageError


class Held(UsageError):
  """Signals that another process holds a directory."""


@contextlib.contextmanager
def hold(run_directory: str | os.PathLike) -> Iterator[None]:
  """Locks a run directory, created if missing, against other processes.

  The lock is the operating system's: it ends with the process in any case.
  `<run>/lock` names the holder.

  Raises:
    Held: another process holds it.
    UsageError: it cannot be written.
  """
  try:
    Path(run_directory).mkdir(parents=True, exist_ok=True)
    file = (Path(run_directory) / "lock").open("a+", encoding="utf-8")
  except OSError as error:
    raise UsageError(
      f"--workdir={run_directory}: cannot be written ({error.strerror})"
    ) from error
  with file:
    try:
      fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
      file.seek(0)
      holder = file.read().strip() or "another process"
      raise Held(
        f"--workdir={run_directory}: in use by {holder}; wait for it, or name "
        "another directory"
      ) from error
    with disk.disk_errors_as_usage(f"--workdir={run_directory}"):
      file.truncate(0)
      file.write(f"process {os.getpid()} on {socket.gethostname()}\n")
      file.flush()
    try:
      yield
    finally:
      file.truncate(0)


def is_held(run_directory: str | os.PathLike) -> bool:
  """Returns whether a living process holds a run directory; writes nothing."""
  try:
    file = (Path(run_directory) / "lock").open("rb")
  except OSError:
    return False
  with file:
    try:
      fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
      return True
    return False
