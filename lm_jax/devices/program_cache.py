"""Keeps compiled programs on disk for later processes.

jax's own cache writes an entry in place and never replaces one: after a full
disk or a flipped bit, every later process compiles again, and says so. Here an
entry is complete or absent, and a damaged one is removed and made again.
Processes that cannot write or read the cache work without it.
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

_DIGEST = 32  # bytes of SHA-256, before the data that they are of
_PARTIAL = ".partial"
_OLD = 3600.0  # seconds after which a partial file's writer was killed


def enable(directory: Path) -> None:
  """Keeps compiled programs under a directory from now on.

  Programs divide their work among a fixed number of threads, which is not in
  jax's keys: so each number of threads has a directory of its own.
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
    # XLA keeps there for GPUs only.
    jax.config.update("jax_persistent_cache_enable_xla_caches", "none")
  _install()
  jax.config.update("jax_compilation_cache_dir", str(folder.resolve()))
  jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.3)
  jax.config.update("jax_persistent_cache_min_entry_size_bytes", 0)


class Programs:
  """Serialized programs of a directory, by key: jax's interface of a cache."""

  def __init__(self, path: str):
    self._path = Path(path)
    self._warned = False

  def get(self, key: str) -> bytes | None:
    path = self._path / key
    try:
      data = path.read_bytes()
    except FileNotFoundError:
      return None
    except OSError as error:
      self._warn(error)
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
      self._warn(error)

  def _warn(self, error: OSError) -> None:
    """Warns of an error, once a process."""
    if not self._warned:
      self._warned = True
      _do_without(self._path, error)


def _do_without(folder: Path, error: OSError) -> None:
  logging.warning(
    "--data.cache: compiled programs are not kept in %s (%s)",
    folder,
    error.strerror,
  )


def _sweep(folder: Path) -> None:
  """Removes files of killed writers; skips what it may not remove."""
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
