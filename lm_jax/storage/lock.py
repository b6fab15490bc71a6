"""Allows only one process at a time in a run directory."""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from lm_jax.storage import disk
from lm_jax.support.errors import UsageError, about

FILE = "lock"
_LONGEST = 300  # characters of a holder's name
# Who only looks (`holder`) has a lock for an instant; it is waited for.
_TRIES, _PAUSE = 4, 0.05


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
  path = Path(run_directory, FILE)
  try:
    file = _locked(path, create=True)
  except OSError as error:
    raise UsageError(
      f"--workdir={run_directory}: cannot be written ({error.strerror})"
    ) from error
  if file is None:
    raise Held(
      f"--workdir={run_directory}: in use by {_named(path)}; wait for it, or"
      " name another directory"
    )
  with file:
    with disk.disk_errors_as_usage(f"--workdir={run_directory}"):
      file.truncate(0)
      file.write(f"process {os.getpid()} on {socket.gethostname()}\n")
      file.flush()
    try:
      yield
    finally:
      file.truncate(0)


def holder(run_directory: str | os.PathLike) -> str:
  """Names the process that holds a directory; "" if none does.

  It writes nothing. A process of another machine is seen where the file system
  shares its locks.
  """
  path = Path(run_directory, FILE)
  try:
    # A holder writes its name, and takes it away unless it is killed.
    if path.is_symlink() or not path.stat().st_size:
      return ""
    with path.open(encoding="utf-8", errors="replace") as file:
      fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
  except BlockingIOError:
    return _named(path)
  except OSError:
    return ""  # It is gone, or the file system knows no locks.
  return ""


def is_held(run_directory: str | os.PathLike) -> bool:
  """Returns whether a living process holds a directory; writes nothing."""
  return bool(holder(run_directory))


@contextlib.contextmanager
def keep_out(directory: Path, force: bool = False) -> Iterator[None]:
  """Keeps processes from an existing directory while it is moved.

  Unlike `hold` it leaves the name of a former holder where it is.

  Args:
    force: do it where a process of another machine may have been killed, or
      may still be there.

  Raises:
    Held: a process holds it.
    UsageError: one may hold it on another machine.
  """
  with about(directory):
    file = _taken(directory / FILE, force)
  with file:
    yield


def _taken(path: Path, force: bool) -> IO[str]:
  """Locks a file for `keep_out`."""
  if path.is_symlink():
    raise UsageError(f"{FILE} is a link; lm_jax makes none")
  try:
    with disk.disk_errors_as_usage("its lock"):
      file = _locked(path, create=False)
  except FileNotFoundError:
    raise UsageError("is no longer there") from None
  if file is None:
    raise Held(f"in use by {_named(path)}; wait for it")
  name = file.read(_LONGEST).strip()
  host = name.rpartition(" on ")[2]
  if name and host != socket.gethostname() and not force:
    file.close()
    raise UsageError(
      f"was in use by {name}, another machine, when it was last seen; if that"
      " process is gone, --force goes on"
    )
  return file


def _named(path: Path) -> str:
  try:
    with path.open(encoding="utf-8", errors="replace") as file:
      return file.read(_LONGEST).strip() or "another process"
  except OSError:
    return "another process"


def _locked(path: Path, create: bool) -> IO[str] | None:
  """Opens a file and locks it; None if another process holds it.

  create: its directory, too; else that must exist.
  """
  tries = _TRIES
  while True:
    if create:
      path.parent.mkdir(parents=True, exist_ok=True)
    file = path.open("a+", encoding="utf-8", errors="replace")
    try:
      fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
      # The directory may have been moved away since the file was opened.
      if os.path.samestat(os.fstat(file.fileno()), path.stat()):
        file.seek(0)
        return file
    except FileNotFoundError:
      pass
    except BlockingIOError:
      tries -= 1
      if not tries:
        file.close()
        return None
      time.sleep(_PAUSE)
    except BaseException:
      file.close()
      raise
    file.close()
