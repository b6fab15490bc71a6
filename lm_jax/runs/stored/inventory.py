"""Finds the runs and experiments below a directory, and what they take."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from lm_jax.runs.stored import entry as entry_lib
from lm_jax.runs.stored.entry import Entry
from lm_jax.storage import lock, trash

# Folders of lm_jax's own directories in which nothing else stands.
_OWN = frozenset(
  {"checkpoints", "events", "branches", "figures", "predictions"}
  | {"hugging_face"}
)


class Inventory(NamedTuple):
  """The directories of lm_jax below another one.

  root: real path of the directory that was searched.
  own: what the directory itself is, if it is one of lm_jax's.
  entries: those below it; those within another one follow it.
  links: names of links to directories, which were not followed.
  trashes: folders with what was moved to the trash.
  """

  root: Path
  own: Entry | None
  entries: list[Entry]
  links: list[str]
  trashes: list[Path]


def search(root: Path) -> Inventory:
  """Searches a directory, and all below it; links are not followed.

  Args:
    root: an existing directory; it may be a link to one.
  """
  root = root.resolve()
  inventory = Inventory(root, entry_lib.read(root, "."), [], [], [])
  _search(root, "", inventory.own, inventory)
  return inventory


def _search(
  folder: Path, prefix: str, own: Entry | None, inventory: Inventory
) -> None:
  """Adds what is in a folder; own: what the folder itself is."""
  members = {member.path: member for member in own.members} if own else {}
  _note(folder, prefix, inventory)
  for path in entry_lib.directories(folder):
    if own is not None and path.name in _OWN:
      continue
    name = f"{prefix}{path.name}"
    if own is not None and own.members and path.name in entry_lib.FOLDERS:
      _note(path, f"{name}/", inventory)
      for place in entry_lib.directories(path):
        member = members.get(place)
        if member is not None and own.name == ".":
          member = dataclasses.replace(member, name=f"{name}/{place.name}")
          inventory.entries.append(member)
        _search(place, f"{name}/{place.name}/", member, inventory)
      continue
    one = entry_lib.read(path, name)
    if one is not None:
      inventory.entries.append(one)
    _search(path, f"{name}/", one, inventory)


def _note(folder: Path, prefix: str, inventory: Inventory) -> None:
  """Notes the links of a folder, and its trash."""
  with contextlib.suppress(OSError), os.scandir(folder) as entries:
    inventory.links.extend(
      prefix + e.name for e in entries if e.is_symlink() and e.is_dir()
    )
  if trash.is_directory(folder / trash.FOLDER):
    inventory.trashes.append(folder / trash.FOLDER)


class Use(NamedTuple):
  """Room that a directory takes on disk.

  size: bytes, of files with several names once.
  changed: when a file of it last changed, in seconds since 1970.
  locks: the directories in it that have a lock, itself first.
  """

  size: int
  changed: float
  locks: tuple[Path, ...]


def use_of(path: Path) -> Use:
  """Measures a directory; what can't be read counts as nothing."""
  size, changed, locks = 0, 0.0, []
  seen: set[tuple[int, int]] = set()
  for folder, name, status in _walk(path):
    identity = (status.st_dev, status.st_ino)
    if status.st_nlink > 1 and identity in seen:
      continue
    seen.add(identity)
    size += status.st_blocks * 512
    if name == lock.FILE and stat.S_ISREG(status.st_mode):
      locks.append(folder)
    elif trash.FOLDER not in folder.relative_to(path).parts:
      changed = max(changed, status.st_mtime)
  if not changed:
    with contextlib.suppress(OSError):
      changed = path.stat().st_mtime
  return Use(size, changed, tuple(sorted(locks)))


def _walk(path: Path) -> Iterator[tuple[Path, str, os.stat_result]]:
  """Yields the files below a directory, as folder, name and status."""
  for folder, _, files in os.walk(path):
    for name in files:
      with contextlib.suppress(OSError):
        yield Path(folder), name, os.lstat(os.path.join(folder, name))


def inside(path: Path, folder: Path) -> bool:
  """Returns whether a path is a folder or lies in it."""
  return path == folder or folder in path.parents


def dependents(
  inventory: Inventory, going: Sequence[Path]
) -> dict[str, list[str]]:
  """Names the entries that were made from others which are to go.

  They go on, or load, only while that is there. Those that go, too, don't
  count, and nothing is known of what is outside of the inventory's root.

  Returns:
    for each path that is to go, what depends on it, by name.
  """
  known: dict[str, list[str]] = {}
  every = [*inventory.entries, *filter(None, [inventory.own])]
  every += [member for one in every for member in one.members]
  for one in {one.path: one for one in reversed(every)}.values():
    if any(inside(one.path, path) for path in going):
      continue
    for text in one.uses:
      for path in going:
        if any(inside(place, path) for place in _places(text, one.path)):
          names = known.setdefault(str(path), [])
          names += [one.name] * (one.name not in names)
  return {path: sorted(names) for path, names in known.items()}


def _places(text: str, user: Path) -> Iterator[Path]:
  """Yields where a path of a configuration may lead.

  A relative one was so from where the command was called, which is unknown:
  here, or some directory above the one that used it.
  """
  with contextlib.suppress(OSError, ValueError, RuntimeError):
    if "\0" in text or len(text) > 4096:
      return
    path = Path(text)
    if path.is_absolute():
      yield path.resolve()
      return
    for folder in (Path.cwd(), *user.parents):
      yield (folder / path).resolve()
