"""Hashes files (SHA-256, remembered in the cache) and detects changes.

The hashes of all files are lines of one table, so that a corpus of many files
takes one reading of it. A line is valid while the file's size, times and inode
are unchanged. It carries a checksum of its own: if a crash or a full disk has
cut it short, the file is hashed again.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import pathlib
import time
import zlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from lm_jax.support import cache
from lm_jax.support.errors import UsageError

TABLE = "table"
_READ_BYTES = 2**20
_KEEP_EVERY = 5.0  # seconds, so that a killed process has not worked in vain
# Clocks of file systems are coarse: a file that changes twice within a tick
# looks the same, so that one is not remembered before it is this old.
_YOUNG_NS = 2 * 10**9
# The table is written anew when it has so many lines, and few are of use.
_MOST_LINES = 10_000


class FileState(NamedTuple):
  """Size, times (ns) and inode of a file; they change when it is written to."""

  size: int
  changed: int
  status_changed: int
  inode: int

  @classmethod
  def read(cls, file: pathlib.Path | int) -> FileState:
    """Reads the state of a file, or of an open one by its number."""
    stat = os.stat(file)
    return cls(stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino)


class Hashed(NamedTuple):
  """A file, its state when it was hashed, and its SHA-256."""

  path: pathlib.Path
  state: FileState
  sha256: str


# By the name of a file in the table.
Known = dict[str, tuple[FileState, str]]
Files = dict[str, tuple[pathlib.Path, FileState]]


def hash_file(cached: str, path: pathlib.Path) -> Hashed:
  """Hashes one file; see `hash_files`."""
  return hash_files(cached, [path])[0]


def hash_files(cached: str, paths: Sequence[pathlib.Path]) -> list[Hashed]:
  """Hashes files, except those that the cache (--data.cache) remembers.

  Raises:
    UsageError: a file cannot be read, or changes meanwhile.
  """
  table = cache.root(cached) / "hashes" / TABLE
  files = {
    cache.key(str(path.absolute())): (path, _state(path)) for path in paths
  }
  known = _read(table)
  if _due(files, known):
    # Of several processes that begin with a corpus one hashes it.
    with _locked(table, files) as writable:
      known = _read(table)
      _hash(table if writable else None, _due(files, known), known)
  return [Hashed(path, *known[name]) for name, (path, _) in files.items()]


def require_same(files: Iterable[Hashed]) -> None:
  """Raises UsageError if a file has changed since it was hashed.

  A file with only a new name, owner or inode is hashed again.
  """
  for path, before, sha256 in files:
    now = _state(path)
    if now == before:
      continue
    same = now[:2] == before[:2] and _digest(path, now, None) == sha256
    if not same:
      raise _changed(path, before, now)


def _changed(
  path: pathlib.Path, before: FileState, now: FileState
) -> UsageError:
  how = "it was written to"
  if before.size != now.size:
    how = f"it had {before.size} bytes and has {now.size}"
  return UsageError(
    f"{path}: changed while it was read ({how}); wait until it is complete, or"
    " name a copy"
  )


def _state(path: pathlib.Path) -> FileState:
  try:
    return FileState.read(path)
  except OSError as error:
    raise UsageError(f"{path}: cannot be read: {error.strerror}") from None


def _digest(path: pathlib.Path, state: FileState, bar: Any) -> str:
  digest = hashlib.sha256()
  try:
    with path.open("rb", buffering=0) as file:
      while data := file.read(_READ_BYTES):
        digest.update(data)
        if bar is not None:
          bar.update(len(data))
      now = FileState.read(file.fileno())
  except OSError as error:
    raise UsageError(f"{path}: cannot be read: {error.strerror}") from None
  if now != state:
    raise _changed(path, state, now)
  return digest.hexdigest()


def _due(files: Files, known: Known) -> Files:
  """Returns the files whose present state is not in the table."""
  return {
    name: (path, state)
    for name, (path, state) in files.items()
    if name not in known or known[name][0] != state
  }


def _hash(table: pathlib.Path | None, due: Files, known: Known) -> None:
  """Hashes files, and adds them to the table and to what is known."""
  import tqdm

  lines: list[bytes] = []
  kept = time.monotonic()
  with tqdm.tqdm(
    total=sum(state.size for _, state in due.values()),
    desc=f"hashing {len(due)} files",
    unit="B",
    unit_scale=True,
    leave=False,
    disable=None,  # Silent off a terminal.
  ) as bar:
    for name, (path, state) in due.items():
      begun = time.time_ns()
      known[name] = state, _digest(path, state, bar)
      if begun - max(state.changed, state.status_changed) > _YOUNG_NS:
        lines.append(_line(name, *known[name]))
      if table and time.monotonic() - kept > _KEEP_EVERY:
        _append(table, lines)
        lines, kept = [], time.monotonic()
  if table and lines:
    _append(table, lines)
    _tidy(table)


def _line(name: str, state: FileState, sha256: str) -> bytes:
  text = " ".join([name, *map(str, state), sha256])
  return f"{text} {zlib.crc32(text.encode()):08x}\n".encode()


def _parsed(line: bytes) -> tuple[str, tuple[FileState, str]] | None:
  """Parses a line of the table; None if it is damaged."""
  text, _, check = line.rpartition(b" ")
  if check != b"%08x" % zlib.crc32(text):
    return None
  name, *numbers, sha256 = text.decode().split(" ")
  return name, (FileState(*map(int, numbers)), sha256)


def _read(table: pathlib.Path) -> Known:
  try:
    lines = table.read_bytes().split(b"\n")
  except (FileNotFoundError, NotADirectoryError):
    return {}  # Whoever writes to it says so.
  return dict(filter(None, map(_parsed, lines)))


def _append(table: pathlib.Path, lines: Sequence[bytes]) -> None:
  with cache.space(table.parent), table.open("ab", buffering=0) as file:
    # In one piece, as others may append, too; after what a crash has left.
    file.write(b"\n" + b"".join(lines))


def _tidy(table: pathlib.Path) -> None:
  """Rewrites the table without outdated lines, if it has many."""
  count, known = table.read_bytes().count(b"\n"), _read(table)
  if count <= max(_MOST_LINES, 2 * len(known)):
    return
  partial = table.with_name(f"{TABLE}.partial")
  with (
    cache.lock(table.with_name(f"{TABLE}.lock")),
    cache.space(table.parent),
  ):
    partial.write_bytes(b"".join(_line(n, *e) for n, e in _read(table).items()))
    partial.replace(table)


@contextlib.contextmanager
def _locked(table: pathlib.Path, names: Iterable[str]) -> Iterator[bool]:
  """Locks some files; yields whether the table may be written.

  A read-only cache stores nothing new.
  """
  folder = table.parent
  if folder.exists() and not os.access(folder, os.W_OK):
    yield False
    return
  with cache.lock(folder / f"{cache.key(sorted(names))}.lock"):
    yield True
