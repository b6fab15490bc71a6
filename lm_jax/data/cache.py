"""Prepared data on disk: an entry is whole or it isn't there."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import pathlib
import shutil
from collections.abc import Callable, Iterator

from lm_jax.errors import UsageError

# Of etils.epath: /s3/x is s3://x to it.
_CLOUD = ("gs", "s3", "az", "hf")


def root(cache: str = "") -> pathlib.Path:
  """The cache directory that `--data.cache` names, or the default one."""
  chosen = cache or os.environ.get("LM_JAX_CACHE") or "~/.cache/lm_jax"
  path = pathlib.Path(chosen).expanduser().absolute()
  if path.parts[1:2] and path.parts[1] in _CLOUD:
    raise UsageError(
      f"--data.cache={chosen}: below /{path.parts[1]}, which TFDS and jax take"
      " for cloud storage; name another directory by --data.cache or"
      " $LM_JAX_CACHE, a link to it for example"
    )
  return path


def key(*parts: object) -> str:
  """A short name for a combination of JSON values: 16 hexadecimal digits."""
  text = json.dumps(parts, ensure_ascii=False, sort_keys=True)
  return hashlib.sha256(text.encode()).hexdigest()[:16]


@contextlib.contextmanager
def _lock(path: pathlib.Path) -> Iterator[None]:
  # Held by the open file, so that a killed process releases it.
  try:
    path.parent.mkdir(parents=True, exist_ok=True)
    file = path.open("a")
  except OSError as error:
    raise UsageError(
      f"--data.cache: cannot write to {path.parent} ({error.strerror}); name "
      "a writable directory by --data.cache or $LM_JAX_CACHE"
    ) from error
  with file:
    fcntl.flock(file, fcntl.LOCK_EX)
    yield


def _sweep(folder: pathlib.Path) -> None:
  """Removes what killed builders left: nobody holds their locks."""
  for partial in folder.glob("*.partial"):
    with partial.with_suffix(".lock").open("a") as file:
      try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
      except BlockingIOError:
        continue  # It is at work, or it is this process.
      # Gone already where two sweep at once.
      shutil.rmtree(partial, ignore_errors=True)


def prepared(
  path: pathlib.Path, build: Callable[[pathlib.Path], None]
) -> pathlib.Path:
  """Returns the directory `path`; where it is missing, `build` makes it.

  `build` fills a directory beside it, which is renamed when complete. Of
  several processes one builds and the others wait; what a killed one left
  is removed by the next one that builds beside it, whatever it builds.

  Raises:
    UsageError: the cache cannot be written, or its disk is full.
  """
  if path.exists():
    return path
  partial = path.with_name(path.name + ".partial")
  with _lock(path.with_name(path.name + ".lock")):
    if path.exists():
      return path
    try:
      _sweep(path.parent)
      if partial.exists():
        shutil.rmtree(partial)
      partial.mkdir()
      build(partial)
      partial.rename(path)
    except OSError as error:
      if error.errno not in (errno.ENOSPC, errno.EDQUOT):
        raise
      raise UsageError(
        f"--data.cache: no space left in {path.parent}; free some, or name "
        "another directory by --data.cache or $LM_JAX_CACHE"
      ) from error
    finally:
      if partial.exists():
        shutil.rmtree(partial)
  return path


def file_hash(cache: str, path: pathlib.Path) -> str:
  """SHA-256 of a file; remembered while its size and time stay as they are."""
  facts = path.stat()
  name = key(str(path.absolute()), facts.st_size, facts.st_mtime_ns)

  def build(folder: pathlib.Path) -> None:
    with path.open("rb") as file:
      digest = hashlib.file_digest(file, "sha256").hexdigest()
    (folder / "sha256").write_text(digest)

  folder = prepared(root(cache) / "hashes" / name, build)
  return (folder / "sha256").read_text()
