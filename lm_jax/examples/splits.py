"""Finds and reads the local files of a task's splits, in several formats."""

from __future__ import annotations

import pathlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from lm_jax.data import lines
from lm_jax.examples import labelled
from lm_jax.examples.labelled import DEV, TEST, TRAIN, Record
from lm_jax.support.errors import UsageError

T = TypeVar("T")

# Valid names of the files of a split.
NAMES: Mapping[str, tuple[str, ...]] = {
  TRAIN: ("train",),
  DEV: ("dev", "validation", "valid", "val"),
  TEST: ("test",),
}
# If a whole data set is one file, one in SHARE examples is held out for DEV,
# and one for TEST: the last ones, so that neighbours stay together.
SHARE = 10

# Reads a file; a line that is not valid is a UsageError that names the line.
Reader = Callable[[pathlib.Path], Iterable[Any]]


def read(
  place: str,
  flag: str,
  split: str,
  readers: Mapping[str, Reader],
  names: Mapping[str, Sequence[str]] | None = None,
  whole: str = "",
  group: Callable[[Any], Any] | None = None,
  has_answers: Callable[[pathlib.Path], bool] | None = None,
) -> list[Any]:
  """Reads the examples of a split from local files.

  Args:
    place: a directory, or the prefix of the names of the files; or one file,
      whose last tenth is TEST and the tenth before it DEV.
    flag: names the place in messages.
    split: TRAIN, DEV or TEST.
    readers: by suffix of the file's name, such as ".jsonl"; ".gz" may follow.
    names: further names of files by split.
    whole: the split that a single file belongs to; "": all three.
    group: a key; neighbours with equal keys are never in two splits.
    has_answers: returns whether a file has right answers; a test split without
      them is ignored.

  Returns:
    The examples; [] if there is no file for TRAIN or DEV. If there is none for
    TEST, the file for DEV takes its place and DEV is empty.

  Raises:
    UsageError: there is no file at all, or none for TEST, or one is not valid.
  """
  path = pathlib.Path(place).expanduser()
  if path.is_file():
    examples = _all(path, readers, flag)
    if whole:
      return examples if split == whole else []
    return part(examples, split, group)
  known = {key: (*NAMES[key], *(names or {}).get(key, ())) for key in NAMES}
  files = {key: _find(path, known[key], list(readers)) for key in known}
  if not any(files.values()):
    tried = _tried(path, known[split], list(readers))
    raise UsageError(f"{flag}={place}: no such file; tried {', '.join(tried)}")
  test = files[TEST]
  if has_answers and files[DEV] and test and not has_answers(test):
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
  """Takes the split's part of a data set that is one file; see `read`."""
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
  """Returns the first existing file."""
  for name in _tried(base, names, ends):
    if pathlib.Path(name).is_file():
      return pathlib.Path(name)
  return None


def _tried(
  base: pathlib.Path, names: Sequence[str], ends: Sequence[str]
) -> list[str]:
  """Lists the valid names of a file, in the order of the search."""
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
      examples = list(reader(path))
      if not examples:
        raise UsageError(f"{path}: is empty")
      return examples
  raise UsageError(f"{flag}={path}: must end with {' or '.join(readers)}")


def records(path: pathlib.Path) -> Iterator[tuple[str, str, Record]]:
  """Yields place, for messages, id and content of the objects of a JSONL file.

  The id is the record's "id", or else its line number.
  """
  for number, line in enumerate(lines.raw(path), start=1):
    if line.strip():
      where = f"{path}, line {number}"
      record = labelled.record(line, where)
      yield where, str(record.get("id", number)), record
