"""The local files of a task's splits, in any of several formats."""

from __future__ import annotations

import pathlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from lm_jax.data import lines
from lm_jax.examples import labelled
from lm_jax.examples.labelled import DEV, TEST, TRAIN, Record
from lm_jax.support.errors import UsageError

T = TypeVar("T")

# What the files of a split may be called.
NAMES: Mapping[str, tuple[str, ...]] = {
  TRAIN: ("train",),
  DEV: ("dev", "validation", "valid", "val"),
  TEST: ("test",),
}
# Where a whole data set is one file, one in so many is held out for DEV, and
# one for TEST: the last ones, so that what stands together stays together.
SHARE = 10

# Reads a file; what is wrong with a line is a UsageError that names it.
Reader = Callable[[pathlib.Path], Iterable[Any]]


def read(
  place: str,
  flag: str,
  split: str,
  readers: Mapping[str, Reader],
  names: Mapping[str, Sequence[str]] | None = None,
  whole: str = "",
  group: Callable[[Any], Any] | None = None,
  told: Callable[[pathlib.Path], bool] | None = None,
) -> list[Any]:
  """The examples of a split in local files.

  Args:
    place: a directory, or what the names of the files begin with; or one file,
      of which the last tenth is TEST and the tenth before it DEV.
    flag: names the place in messages.
    split: TRAIN, DEV or TEST.
    readers: by the end of a file's name, ".jsonl"; ".gz" may follow.
    names: further names of files by split.
    whole: the split that one file has all of; "": all three.
    group: of neighbours that are not to be in two splits, what they share.
    told: has a file right answers? A test split without them is none.

  Returns:
    [] where there is no file for TRAIN or DEV. Where there is none for TEST,
    DEV stands in for it, and is no longer DEV.

  Raises:
    UsageError: no file at all, or none for TEST; what is wrong with one.
  """
  path = pathlib.Path(place).expanduser()
  if path.is_file():
    found = _all(path, readers, flag)
    if whole:
      return found if split == whole else []
    return part(found, split, group)
  known = {key: (*NAMES[key], *(names or {}).get(key, ())) for key in NAMES}
  files = {key: _find(path, known[key], list(readers)) for key in known}
  if not any(files.values()):
    tried = _tried(path, known[split], list(readers))
    raise UsageError(f"{flag}={place}: no such file; tried {', '.join(tried)}")
  test = files[TEST]
  if told and files[DEV] and test and not told(test):
    files[TEST] = None
  if files[TEST] is None:
    files |= {TEST: files[DEV], DEV: None}
  chosen = files[split]
  if chosen is None and split == TEST:
    tried = _tried(path, [*known[TEST], *known[DEV]], list(readers))
    raise UsageError(f"{flag}={place}: no such file; tried {', '.join(tried)}")
  return _all(chosen, readers, flag) if chosen else []


def part(
  examples: Sequence[T],
  split: str,
  group: Callable[[T], Any] | None = None,
) -> list[T]:
  """The split's part of a data set that is one file; see `read`."""
  count, held = len(examples), len(examples) // SHARE

  def edge(at: int) -> int:
    while (
      group
      and 0 < at < count
      and group(examples[at - 1]) == group(examples[at])
    ):
      at += 1
    return at

  dev, test = edge(count - 2 * held), edge(count - held)
  bounds = {TRAIN: (0, dev), DEV: (dev, test), TEST: (test, count)}
  start, stop = bounds[split]
  return list(examples[start:stop])


def _find(
  base: pathlib.Path, names: Sequence[str], ends: Sequence[str]
) -> pathlib.Path | None:
  """The first file that there is."""
  for name in _tried(base, names, ends):
    if pathlib.Path(name).is_file():
      return pathlib.Path(name)
  return None


def _tried(
  base: pathlib.Path, names: Sequence[str], ends: Sequence[str]
) -> list[str]:
  """What a file may be called, in the order in which it is looked for."""
  stem = f"{base}/" if base.is_dir() else f"{base}_"
  return [
    f"{stem}{name}{end}{gz}"
    for name in names
    for end in ends
    for gz in ("", ".gz")
  ]


def _all(
  path: pathlib.Path, readers: Mapping[str, Reader], flag: str
) -> list[Any]:
  name = path.name.removesuffix(".gz")
  for end, reader in readers.items():
    if name.endswith(end):
      found = list(reader(path))
      if not found:
        raise UsageError(f"{path}: is empty")
      return found
  raise UsageError(f"{flag}={path}: must end with {' or '.join(readers)}")


def records(path: pathlib.Path) -> Iterator[tuple[str, str, Record]]:
  """The objects of a JSONL file: its place for messages, its id, itself.

  The id is the record's own "id", or else its line number.
  """
  for number, line in enumerate(lines.raw(path), start=1):
    if line.strip():
      where = f"{path}, line {number}"
      record = labelled.record(line, where)
      yield where, str(record.get("id", number)), record
