"""Lists the files that a directory, a glob or a name stands for, each once.

Links are followed, as `glob` and a user expect; but a folder is entered once
and a file is listed once, however many links lead there: a link to its own
folder would otherwise be followed as often as the system allows.
"""

from __future__ import annotations

import collections
import glob
import os
from collections.abc import Iterable, Iterator

_Identity = tuple[int, int]


def expand(name: str) -> list[str]:
  """Lists the files of a directory (with subdirectories), a file or a glob.

  The name of an existing file is not a pattern. Hidden files are left out, as
  by `glob`.

  Returns:
    Sorted paths as texts; of several paths to one file, the first.
  """
  names: Iterable[str]
  if os.path.isdir(name):
    names = _deep(glob.escape(name), ["*"])
  elif os.path.exists(name):
    names = [name]
  else:
    names = _matches(name)
  return list(once(sorted(set(names))))


def exists(name: str) -> bool:
  """Returns whether a path exists or a pattern matches one."""
  return os.path.exists(name) or bool(glob.has_magic(name) and expand(name))


def _matches(pattern: str) -> Iterable[str]:
  parts = pattern.split(os.sep)
  if "**" not in parts:
    return glob.glob(pattern)
  first = parts.index("**")
  base = os.sep.join(parts[:first]) or (os.sep if first else "")
  return _deep(base, parts[first + 1 :] or ["*"])


def _deep(base: str, rest: list[str]) -> Iterator[str]:
  """Yields matches of a pattern, in parts, at any depth in those of another.

  base: the other; "" for the working directory.
  """
  for start in glob.glob(base) if base else [""]:
    for folder in _folders(start):
      yield from _matches(os.path.join(glob.escape(folder), *rest))


def _folders(start: str) -> Iterator[str]:
  """Yields a folder and all folders in it; linked ones come last."""
  queue, links = collections.deque([start]), collections.deque[str]()
  seen: set[_Identity] = set()
  while queue or links:
    folder = (queue or links).popleft()
    identity = _identity(folder or os.curdir)
    if identity is None or identity in seen:
      continue
    seen.add(identity)
    yield folder
    try:
      with os.scandir(folder or os.curdir) as entries:
        children = sorted(entries, key=lambda entry: entry.name)
    except PermissionError:  # Passed over, as by `glob`: lost+found, ...
      continue
    for entry in children:
      if entry.is_dir() and not entry.name.startswith("."):
        path = os.path.join(folder, entry.name)
        (links if entry.is_symlink() else queue).append(path)


def once(names: Iterable[str]) -> Iterator[str]:
  """Yields the files among some paths; of several to one file, the first."""
  seen: set[_Identity] = set()
  for name in names:
    identity = _identity(name)
    if identity not in seen and os.path.isfile(name):
      assert identity is not None  # It is there.
      seen.add(identity)
      yield name


def _identity(path: str) -> _Identity | None:
  """Returns device and inode of the target of a path; None without one."""
  try:
    stat = os.stat(path)
  except OSError:
    return None
  return stat.st_dev, stat.st_ino
