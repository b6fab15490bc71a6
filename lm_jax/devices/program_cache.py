"""Compiled programs on disk, for later processes.

jax's own cache writes an entry where it is to be and never replaces one: after
a full disk or a flipped bit, every later process compiles again, and says so.
Here an entry is whole or it isn't there, and one that is damaged is removed and
made again. Where nothing can be written, or read, processes do without.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
from pathlib import Path
from typing import Any

import jax
from absl import logging

from lm_jax.support import machine

_DIGEST = 32  # bytes of SHA-256, in front of what they are of
_PARTIAL = ".partial"
_OLD = 3600.0  # seconds after which a partial file's writer was killed


def enable(directory: Path) -> None:
  """Keeps compiled programs under a directory from now on.

  Programs divide their work among so many threads, which jax's keys leave
  out: each number has a directory of its own.
  """
  folder = directory / f"{machine.threads()}-threads"
  try:
    folder.mkdir(parents=True, exist_ok=True)
    _sweep(folder)
  except OSError as error:
    _do_without(folder, error)
    return
  if jax.default_backend() != "gpu":
    # Else the path of the cache becomes a part of the keys, for files that
    # XLA keeps there of GPUs alone.
    jax.config.update("jax_persistent_cache_enable_xla_caches", "none")
  _install()
  jax.config.update("jax_compilation_cache_dir", str(folder.resolve()))
  jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.3)
  jax.config.update("jax_persistent_cache_min_entry_size_bytes", 0)


class Programs:
  """What jax asks its cache: serialized programs by key.

  Args:
    path: the directory.
  """

  def __init__(self, path: str):
    self._path = Path(path)
    self._told = False

  def get(self, key: str) -> bytes | None:
    path = self._path / key
    try:
      data = path.read_bytes()
    except FileNotFoundError:
      return None
    except OSError as error:
      self._tell(error)
      return None
    digest, value = data[:_DIGEST], data[_DIGEST:]
    if hashlib.sha256(value).digest() == digest:
      return value
    logging.warning("%s: damaged, and compiled again", path)
    return None

  def put(self, key: str, value: bytes) -> None:
    path = self._path / key
    partial = path.with_name(f".{time.time_ns()}-{os.getpid()}{_PARTIAL}")
    try:
      with partial.open("xb") as file:
        file.write(hashlib.sha256(value).digest() + value)
        file.flush()
        os.fsync(file.fileno())
      partial.replace(path)
    except OSError as error:
      with contextlib.suppress(OSError):
        partial.unlink(missing_ok=True)
      self._tell(error)

  def _tell(self, error: OSError) -> None:
    """Once a process."""
    if not self._told:
      self._told = True
      _do_without(self._path, error)


def _do_without(folder: Path, error: OSError) -> None:
  logging.warning(
    "--data.cache: compiled programs are not kept in %s (%s)",
    folder,
    error.strerror,
  )


def _sweep(folder: Path) -> None:
  """Removes what killed writers left; nothing where it may not be written."""
  for partial in folder.glob(f"*{_PARTIAL}"):
    with contextlib.suppress(FileNotFoundError, PermissionError):
      if time.time() - partial.stat().st_mtime > _OLD:
        partial.unlink()


def _install() -> None:
  # jax has no public door to its cache.
  from jax._src import compilation_cache

  def opened(path: str) -> Any:
    return Programs(path), path

  compilation_cache.get_file_cache = opened
