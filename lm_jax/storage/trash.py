"""A folder of directories that are to be deleted, and can be put back.

`<parent>/.trash/<date>-<name>` was `<parent>/<name>`, as the record beside it,
`<date>-<name>.json`, says. What is moved is renamed, so that it is in one place
or in the other whenever a process ends. What is deleted is renamed first, to a
name that nothing reads.
"""

from __future__ import annotations

import contextlib
import datetime
import json
import os
import secrets
import shutil
import stat
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from lm_jax.storage import disk, litter
from lm_jax.support import strict_json
from lm_jax.support.errors import UsageError, about, require_text
from lm_jax.support.typed_json import as_kind, read_as

FOLDER = ".trash"
_RECORD = ".json"
_HALF = "deleting-"  # begins the name of what is being deleted
_LONGEST = 200  # bytes of a name, to which a date and a suffix are added


class Trashed(NamedTuple):
  """A directory in a trash.

  path: where it is now.
  name: that it had beside the trash.
  date: when it was moved, in ISO 8601, UTC.
  about: what its owner noted.
  """

  path: Path
  name: str
  date: str
  about: Mapping[str, Any]

  @property
  def moved(self) -> datetime.datetime:
    """Returns `date` as a time."""
    return datetime.datetime.fromisoformat(self.date)

  @property
  def origin(self) -> Path:
    """Returns where it was, and would be again."""
    return self.path.parent.parent / self.name


def is_directory(path: Path) -> bool:
  """Returns whether a path is a directory, and no link to one."""
  try:
    return stat.S_ISDIR(path.lstat().st_mode)
  except (OSError, ValueError):
    return False


def move(path: Path, about_it: Mapping[str, Any]) -> Trashed:
  """Moves a directory into the trash beside it.

  Args:
    path: of the directory; it is no link.
    about_it: what to note, for JSON.

  Raises:
    UsageError: it can't be moved: the disk is read-only, or it is a mount.
  """
  folder = path.parent / FOLDER
  now = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
  with _errors_named(path):
    if not is_directory(path):
      raise UsageError("is no directory, or a link")
    require_text(path, "the trash")
    folder.mkdir(exist_ok=True)
    if not is_directory(folder):
      raise UsageError(f"{folder} is a link or a file; a folder was expected")
    record = {"name": path.name, "date": now.isoformat(), "about": about_it}
    target = _reserve(folder, f"{now:%Y%m%d-%H%M%S}-", path.name, record)
    try:
      path.rename(target)
    except BaseException:
      if not is_directory(target):
        _record_of(target).unlink(missing_ok=True)
      raise
  return Trashed(target, path.name, now.isoformat(), about_it)


def items(folder: Path) -> list[Trashed]:
  """Lists what is in a trash, the oldest first; [] where there is none.

  What has no readable record is left out.
  """
  if not is_directory(folder):
    return []
  listed = []
  for path in sorted(folder.iterdir()):
    if path.name.startswith(_HALF) or not is_directory(path):
      continue
    with contextlib.suppress(UsageError):
      listed.append(_read(path))
  return listed


def restore(item: Trashed) -> Path:
  """Moves a directory back to where it was; returns that place.

  Raises:
    UsageError: something else is there by now, or it can't be moved.
  """
  with _errors_named(item.path):
    if os.path.lexists(item.origin):
      raise UsageError(
        f"{item.origin} is there by now; rename or move that first"
      )
    item.path.rename(item.origin)
    _record_of(item.path).unlink(missing_ok=True)
    _tidy(item.path.parent)
  return item.origin


def delete(item: Trashed) -> None:
  """Deletes a directory that is in a trash; links in it are not followed.

  Raises:
    UsageError: it can't be deleted; what is left is deleted by `empty`.
  """
  half = item.path.with_name(_HALF + secrets.token_hex(8))
  with _errors_named(item.path):
    item.path.rename(half)
    _record_of(item.path).unlink(missing_ok=True)
    _delete_tree(half)
    _tidy(half.parent)


def delete_halves(folder: Path) -> None:
  """Deletes what an interrupted `delete` has left in a trash."""
  if not is_directory(folder):
    return
  with _errors_named(folder):
    for path in sorted(folder.iterdir()):
      if path.name.startswith(_HALF) and is_directory(path):
        _delete_tree(path)
      elif path.name.endswith(_RECORD):
        _delete_orphan(path)
    _tidy(folder)


def _reserve(
  folder: Path, date: str, name: str, record: Mapping[str, Any]
) -> Path:
  """Writes a record whose name none has; returns the path that it is of."""
  short = os.fsdecode(os.fsencode(name)[:_LONGEST])
  data = json.dumps(record, indent=2).encode() + b"\n"
  number = 1
  while True:
    path = folder / f"{date}{short}{f'-{number}' if number > 1 else ''}"
    try:
      with _record_of(path).open("xb") as file:
        file.write(data)
    except FileExistsError:
      number += 1
      continue
    return path


def _record_of(path: Path) -> Path:
  return path.with_name(path.name + _RECORD)


def _read(path: Path) -> Trashed:
  """Reads the record of a directory, which may be from anybody."""
  file = _record_of(path)
  if file.is_symlink():
    raise UsageError(f"{file}: is a link")
  tree = read_as(file, dict)
  name, date = (
    as_kind(tree.get(key), str, f"{file}: {key}") for key in ("name", "date")
  )
  noted = as_kind(tree.get("about"), dict, f"{file}: about")
  if not strict_json.is_file_name(name) or name == FOLDER:
    raise UsageError(f"{file}: name: is no name of a directory")
  item = Trashed(path, name, date, noted)
  try:
    aware = item.moved.tzinfo is not None
  except ValueError:
    aware = False
  if not aware:
    raise UsageError(f"{file}: date={date}: is no date with a time zone")
  return item


def _delete_tree(path: Path) -> None:
  def failed(_, __, information) -> None:
    error = information[1]
    if not isinstance(error, FileNotFoundError):  # another one was faster
      raise error

  shutil.rmtree(path, onerror=failed)


def _delete_orphan(record: Path) -> None:
  """Deletes the record of a directory that was not moved in the end."""
  directory = record.with_name(record.name.removesuffix(_RECORD))
  # One of this moment may be about to be moved.
  old = time.time() - record.lstat().st_mtime > litter.SECONDS
  if old and not os.path.lexists(directory):
    with contextlib.suppress(UsageError):
      _read(directory)
      record.unlink()


def _tidy(folder: Path) -> None:
  """Removes a trash that is empty."""
  with contextlib.suppress(OSError):
    folder.rmdir()


@contextlib.contextmanager
def _errors_named(path: Path) -> Iterator[None]:
  """Turns errors of the system into a UsageError about a path."""
  with about(path):
    try:
      with disk.disk_errors_as_usage("the trash"):
        yield
    except OSError as error:
      raise UsageError(error.strerror or str(error)) from error
