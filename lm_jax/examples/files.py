"""Finds local files of examples, and reads the records in them."""

from __future__ import annotations

import itertools
import pathlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from lm_jax.data import lines
from lm_jax.data.tfds_records import tfds_records as tfds_records
from lm_jax.support import errors
from lm_jax.support.errors import UsageError, short

TRAIN, DEV, TEST = "train", "dev", "test"
# Valid names of the files of a split.
NAMES: Mapping[str, tuple[str, ...]] = {
  TRAIN: (TRAIN,),
  DEV: (DEV, "validation", "valid", "val"),
  TEST: (TEST,),
}
# If a whole data set is one file, one in SHARE examples is held out for DEV,
# and one for TEST: the last ones, so that neighbours stay together.
SHARE = 10
# Names of files that a message shows.
_SHOWN = 12

T = TypeVar("T")
Record = dict[str, Any]
# Records, each with its place, for messages, and its name.
Source = Iterable[tuple[str, str, Record]]
# Reads a file; a line that is not valid is a UsageError that names the line.
Reader = Callable[[pathlib.Path], Iterable[Any]]


def named(
  place: str, names: Iterable[str], ends: Sequence[str]
) -> list[pathlib.Path]:
  """Lists the paths that files of some names may have, best first.

  Args:
    place: a directory, or the prefix of the names of the files; "_" or "."
      follows it.
    names: the rest of the names.
    ends: their suffixes, such as ".jsonl"; ".gz" may follow.
  """
  base = pathlib.Path(place).expanduser()
  joins = "/" if base.is_dir() else "_."
  return [
    path
    for join in joins
    for name in names
    for end in ends
    for path in either(f"{base}{join}{name}{end}")
  ]


def either(path: str | pathlib.Path) -> list[pathlib.Path]:
  """Returns the path of a file, and that of its gzipped form."""
  return [pathlib.Path(f"{path}{gz}") for gz in ("", ".gz")]


def first(paths: Iterable[pathlib.Path]) -> pathlib.Path | None:
  """Returns the first path that is a file, if any is."""
  return next((path for path in paths if path.is_file()), None)


def need(paths: Sequence[pathlib.Path], flag: str) -> pathlib.Path:
  """Returns the first path that is a file; raises UsageError if none is."""
  path = first(paths)
  if path is None:
    plain = [str(path) for path in paths if path.suffix != ".gz"]
    more = f", {len(plain) - _SHOWN} more" if len(plain) > _SHOWN else ""
    raise UsageError(
      f"{flag}: no such file; tried {', '.join(plain[:_SHOWN])}{more}; each may"
      " be gzipped (.gz)"
    )
  return path


def of_split(
  place: str,
  flag: str,
  split: str,
  ends: Sequence[str],
  names: Mapping[str, Sequence[str]] | None = None,
  has_answers: Callable[[pathlib.Path], bool] | None = None,
  strict: bool = False,
) -> pathlib.Path | None:
  """Finds the file of a split.

  Args:
    place, ends: see `named`.
    flag: names the place in messages.
    split: TRAIN, DEV or TEST.
    names: further names of files by split.
    has_answers: returns whether a file has right answers; a test split without
      them is ignored if DEV can replace it.
    strict: also raise for TRAIN and DEV where no split has a file.

  Returns:
    None if there is no file for TRAIN or DEV. If there is none for TEST, the
    file for DEV takes its place, and DEV has none.

  Raises:
    UsageError: there is no file for testing.
  """
  more = names or {}
  tried = {
    key: named(place, (*own, *more.get(key, ())), ends)
    for key, own in NAMES.items()
  }
  files = {key: first(paths) for key, paths in tried.items()}
  test = files[TEST]
  if has_answers and files[DEV] and test and not has_answers(test):
    files[TEST] = None
  if files[TEST] is None:
    files |= {TEST: files[DEV], DEV: None}
  if split == TEST and files[TEST] is None:
    return need([*tried[TEST], *tried[DEV]], f"{flag}={place}")
  if strict and not any(files.values()):
    return need(tried[split], f"{flag}={place}")
  return files[split]


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
    flag, split, names, has_answers: see `of_split`.
    readers: by suffix of the file's name, such as ".jsonl"; ".gz" may follow.
    whole: the split that a single file belongs to; "": all three.
    group: a key; neighbours with equal keys are never in two splits.

  Returns:
    The examples; [] if there is no file for TRAIN or DEV.

  Raises:
    UsageError: there is no file at all, or none for TEST, or one is not valid.
  """
  path = pathlib.Path(place).expanduser()
  if path.is_file():
    if whole not in ("", split):
      return []
    examples = _all(path, readers, flag)
    return examples if whole else part(examples, split, group)
  chosen = of_split(
    *(place, flag, split, list(readers), names, has_answers), strict=True
  )
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


def _all(
  path: pathlib.Path, readers: Mapping[str, Reader], flag: str
) -> list[Any]:
  for end, reader in readers.items():
    if has_suffix(path, end):
      examples = list(reader(path))
      if not examples:
        raise UsageError(f"{path}: is empty")
      return examples
  raise UsageError(f"{flag}={path}: must end with {' or '.join(readers)}")


def has_suffix(path: pathlib.Path, end: str) -> bool:
  """Returns whether a file's name ends so, in any case, without ".gz"."""
  return path.name.lower().removesuffix(".gz").endswith(end.lower())


def records(path: pathlib.Path, ids: bool = True) -> Source:
  """Yields the objects of a JSONL file.

  Each is named by its line number, or by its "id" if it has one and `ids`.
  """
  for number, line in enumerate(lines.raw(path), start=1):
    if line.strip():
      where = f"{path}, line {number}"
      record = as_record(lines.parsed(line, where), where)
      yield where, str(record.get("id", number) if ids else number), record


def from_tfds(name: str, split: str, flag: str) -> Source:
  """Yields the records of a split of a TFDS data set, named by number."""
  for number, (where, record) in enumerate(tfds_records(name, split, flag)):
    yield where, str(number), record


def as_record(value: Any, where: object) -> Record:
  """Returns a value of JSON that is an object; raises UsageError if not."""
  if not isinstance(value, dict):
    raise UsageError(f"{where}: must be an object, not {short(value)}")
  return value


def made(source: Source, make: Callable[[Record, str], T]) -> Iterator[T]:
  """Makes an example of each record and its name.

  Raises:
    UsageError: from `make`; the record's place is added.
  """
  for where, name, record in source:
    with errors.about(where):
      example = make(record, name)
    yield example


def all_made(
  source: Source, make: Callable[[Record, str], Iterable[T]]
) -> Iterator[T]:
  """Makes examples like `made`, any number of each record."""
  # A generator would be run outside of `made`, which knows the place.
  return itertools.chain.from_iterable(
    made(source, lambda record, name: list(make(record, name)))
  )


_CALLED = {int: "a whole number", list: "a list", dict: "an object"}


def field(record: Record, *names: str, kind: Any = str) -> Any:
  """Returns the value of the first name that a record has.

  Args:
    record: an object of JSON.
    names: of the field, preferred ones first.
    kind: type or union of types; a bool is none of them.

  Raises:
    UsageError: it has none, or a value of another kind.
  """
  value = first_field(record, names)
  if isinstance(value, bool) or not isinstance(value, kind):
    valid = _CALLED.get(kind, "text")
    raise UsageError(f"field {names[0]}={short(value)}: must be {valid}")
  return value


def first_field(record: Record, names: Sequence[str]) -> Any:
  """Returns the value of the first name that a record has.

  Raises UsageError if it has none.
  """
  for name in names:
    if name in record:
      return record[name]
  held = ", ".join(short(name) for name in sorted(record)[:20])
  raise UsageError(
    f"no field {' or '.join(map(repr, names))}; it has {held or 'no fields'}"
  )
