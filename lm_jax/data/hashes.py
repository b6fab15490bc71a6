"""SHA-256 of files, remembered in the cache, and whether a file has changed.

The hashes of all files are lines of one table, so that a corpus of many files
takes one reading of it. A line is believed while the file's size, times and
inode are what they were, and it carries a checksum of its own: what a crash or
a full disk has left of one is hashed again.
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


class Facts(NamedTuple):
  """What changes when a file does."""

  size: int
  changed: int
  status_changed: int
  inode: int

  @classmethod
  def of(cls, found: os.stat_result) -> Facts:
    return cls(
      found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino
    )


class Hashed(NamedTuple):
  """A file, and what it was when it was hashed."""

  path: pathlib.Path
  facts: Facts
  sha256: str


# By the name of a file in the table.
Known = dict[str, tuple[Facts, str]]


def of_file(cached: str, path: pathlib.Path) -> Hashed:
  """As `of_files`, of one."""
  return of_files(cached, [path])[0]


def of_files(cached: str, paths: Sequence[pathlib.Path]) -> list[Hashed]:
  """Hashes files, but for those that the cache remembers.

  Args:
    cached: --data.cache.
    paths: of the files.

  Raises:
    UsageError: one cannot be read, or changes meanwhile.
  """
  table = cache.root(cached) / "hashes" / TABLE
  now = [Facts.of(_stat(path)) for path in paths]
  names = [_name(path) for path in paths]
  known = _read(table)
  if _due(names, now, known):
    # Of several processes that begin with a corpus one hashes it.
    with _held(table, names) as writable:
      known = _read(table)
      _hash(table if writable else None, paths, names, now, known)
  return [
    Hashed(path, *known[name]) for path, name in zip(paths, names, strict=True)
  ]


def require_same(files: Iterable[Hashed]) -> None:
  """Raises UsageError if a file has changed since it was hashed.

  A file that has only got another name, owner or inode is hashed again.
  """
  for path, before, sha256 in files:
    now = Facts.of(_stat(path))
    if now == before:
      continue
    same = now[:2] == before[:2] and _digest(path, now, None) == sha256
    if not same:
      raise _changed(path, before, now)


def _changed(path: pathlib.Path, before: Facts, now: Facts) -> UsageError:
  how = "it was written to"
  if before.size != now.size:
    how = f"it had {before.size} bytes and has {now.size}"
  return UsageError(
    f"{path}: changed while it was read ({how}); wait until it is complete, or"
    " name a copy"
  )


def _stat(path: pathlib.Path) -> os.stat_result:
  try:
    return path.stat()
  except OSError as error:
    raise UsageError(f"{path}: cannot be read: {error.strerror}") from None


def _digest(path: pathlib.Path, facts: Facts, bar: Any) -> str:
  found = hashlib.sha256()
  try:
    with path.open("rb", buffering=0) as file:
      while data := file.read(_READ_BYTES):
        found.update(data)
        if bar is not None:
          bar.update(len(data))
      now = Facts.of(os.fstat(file.fileno()))
  except OSError as error:
    raise UsageError(f"{path}: cannot be read: {error.strerror}") from None
  if now != facts:
    raise _changed(path, facts, now)
  return found.hexdigest()


def _name(path: pathlib.Path) -> str:
  return cache.key(str(path.absolute()))


def _due(names: Sequence[str], now: Sequence[Facts], known: Known) -> list[int]:
  """Which of some files are not known as they are now."""
  return [
    i
    for i, name in enumerate(names)
    if name not in known or known[name][0] != now[i]
  ]


def _hash(
  table: pathlib.Path | None,
  paths: Sequence[pathlib.Path],
  names: Sequence[str],
  now: Sequence[Facts],
  known: Known,
) -> None:
  """Hashes what is not known, and remembers it."""
  import tqdm

  due = [(paths[i], names[i], now[i]) for i in _due(names, now, known)]
  lines: list[bytes] = []
  kept = time.monotonic()
  with tqdm.tqdm(
    total=sum(facts.size for _, _, facts in due),
    desc=f"hashing {len(due)} files",
    unit="B",
    unit_scale=True,
    leave=False,
    disable=None,  # Silent off a terminal.
  ) as bar:
    for path, name, facts in due:
      begun = time.time_ns()
      known[name] = facts, _digest(path, facts, bar)
      if begun - max(facts.changed, facts.status_changed) > _YOUNG_NS:
        lines.append(_line(name, *known[name]))
      if table and time.monotonic() - kept > _KEEP_EVERY:
        _append(table, lines)
        lines, kept = [], time.monotonic()
  if table and lines:
    _append(table, lines)
    _tidy(table)


def _line(name: str, facts: Facts, sha256: str) -> bytes:
  text = " ".join([name, *map(str, facts), sha256])
  return f"{text} {zlib.crc32(text.encode()):08x}\n".encode()


def _parsed(line: bytes) -> tuple[str, tuple[Facts, str]] | None:
  """A line of the table; None where it is damaged."""
  text, _, check = line.rpartition(b" ")
  if check != b"%08x" % zlib.crc32(text):
    return None
  name, *numbers, sha256 = text.decode().split(" ")
  return name, (Facts(*map(int, numbers)), sha256)


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
  """Leaves out the lines of files that have changed since, if many have."""
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
def _held(table: pathlib.Path, names: Sequence[str]) -> Iterator[bool]:
  """Holds the lock of some files; yields whether the table may be written.

  A cache that may only be read remembers nothing new.
  """
  folder = table.parent
  if folder.exists() and not os.access(folder, os.W_OK):
    yield False
    return
  with cache.lock(folder / f"{cache.key(sorted(names))}.lock"):
    yield True
