"""Prepared data on disk: an entry is whole or it isn't there.

What is renamed into its place has reached the disk before, and has digests:
of its files in a list, or of each row of a table (table.py).
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import pathlib
import shutil
import zlib
from collections.abc import Callable, Iterable, Iterator

from lm_jax.support import strict_json
from lm_jax.support.errors import UsageError, causes, require_text

DIGESTS = "digests.json"
# Of etils.epath: /s3/x is s3://x to it.
_CLOUD = ("gs", "s3", "az", "hf")


def root(cache: str = "") -> pathlib.Path:
  """The cache directory that `--data.cache` names, or the default one."""
  chosen = cache or os.environ.get("LM_JAX_CACHE") or "~/.cache/lm_jax"
  path = pathlib.Path(chosen).expanduser().absolute()
  require_text(path, "--data.cache")
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
  # A name of a file need not be UTF-8.
  data = text.encode("utf-8", "surrogateescape")
  return hashlib.sha256(data).hexdigest()[:16]


@contextlib.contextmanager
def lock(path: pathlib.Path) -> Iterator[None]:
  """Holds a file's lock, which a killed process gives back."""
  try:
    path.parent.mkdir(parents=True, exist_ok=True)
    file = path.open("a", encoding="utf-8")
  except OSError as error:
    raise UsageError(
      f"--data.cache: cannot write to {path.parent} ({error.strerror}); name "
      "a writable directory by --data.cache or $LM_JAX_CACHE"
    ) from error
  with file:
    fcntl.flock(file, fcntl.LOCK_EX)
    yield


@contextlib.contextmanager
def space(folder: pathlib.Path) -> Iterator[None]:
  """Turns the end of a disk's space into a UsageError; other errors pass."""
  try:
    yield
  except UsageError:
    raise
  except Exception as error:
    if not any(map(_is_full, causes(error))):
      raise
    raise UsageError(
      f"--data.cache: no space left in {folder}; free some, or name another "
      "directory by --data.cache or $LM_JAX_CACHE"
    ) from error


def _is_full(error: BaseException) -> bool:
  numbers = errno.ENOSPC, errno.EDQUOT
  if isinstance(error, OSError):
    return error.errno in numbers
  # array_record tells it in the text of a RuntimeError.
  return isinstance(error, RuntimeError) and any(
    os.strerror(number) in str(error) for number in numbers
  )


def _sweep(folder: pathlib.Path) -> None:
  """Removes what killed builders left: nobody holds their locks."""
  for partial in folder.glob("*.partial"):
    with partial.with_suffix(".lock").open("a", encoding="utf-8") as file:
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

  `build` fills a directory beside it, which is renamed when complete and on
  the disk. Of several processes one builds and the others wait; what a killed
  one left is removed by the next one that builds beside it, whatever it
  builds.

  Raises:
    UsageError: the cache cannot be written, or its disk is full.
  """
  if path.exists():
    return path
  partial = path.with_name(path.name + ".partial")
  with lock(path.with_name(path.name + ".lock")):
    if path.exists():
      return path
    try:
      with space(path.parent):
        _sweep(path.parent)
        if partial.exists():
          shutil.rmtree(partial)
        partial.mkdir()
        build(partial)
        _sync(partial)
        partial.rename(path)
        _sync_one(path.parent)
    finally:
      if partial.exists():
        shutil.rmtree(partial)
  return path


def _sync(folder: pathlib.Path) -> None:
  """Waits until all of a folder is on the disk.

  A rename may get there before what was written before it.
  """
  for path in folder.rglob("*"):
    _sync_one(path)
  _sync_one(folder)


def _sync_one(path: pathlib.Path) -> None:
  file = os.open(path, os.O_RDONLY)
  try:
    os.fsync(file)
  finally:
    os.close(file)


def seal(folder: pathlib.Path) -> None:
  """Writes down the digests of all files of an entry; a builder's last step."""
  digests = {
    str(path.relative_to(folder)): checksum(path)
    for path in sorted(folder.rglob("*"))
    if path.is_file()
  }
  (folder / DIGESTS).write_text(json.dumps(digests), "utf-8")


def checksum(path: pathlib.Path) -> list[int]:
  """Size and CRC-32 of a file: against faults, not against anybody."""
  size = check = 0
  with path.open("rb", buffering=0) as file:
    while data := file.read(2**20):
      size, check = size + len(data), zlib.crc32(data, check)
  return [size, check]


def require_whole(folder: pathlib.Path, names: Iterable[str]) -> None:
  """Raises UsageError if files of an entry are not what `seal` saw.

  Entries without digests, made by earlier versions, are not checked.
  """
  path = folder / DIGESTS
  if not path.exists():
    return
  try:
    files = strict_json.read(path)
  except UsageError as error:
    raise damaged(folder, str(error)) from None
  for name in names:
    file = folder / name
    wanted = files.get(name) if isinstance(files, dict) else None
    if wanted is None or not file.is_file() or wanted != checksum(file):
      raise damaged(folder, f"{name} is not what was written")


def damaged(folder: pathlib.Path, what: str) -> UsageError:
  """The error that tells of a damaged entry, and what to do."""
  return UsageError(
    f"{folder}: is damaged: {what}; remove it, and it is made again"
  )
