"""Records of what is only measured on: one split, of local files or of TFDS."""

from __future__ import annotations

import pathlib
import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from lm_jax.data import lines
from lm_jax.examples import labelled
from lm_jax.examples.labelled import Record
from lm_jax.support.errors import UsageError, short

T = TypeVar("T")

SPLITS = ("test", "dev", "validation", "valid", "val")
_SUFFIXES = (".jsonl", ".jsonl.gz")


def find(
  place: str, flag: str, suffixes: Sequence[str] = _SUFFIXES
) -> pathlib.Path:
  """The file with what is to be measured.

  Args:
    place: the file itself, or what its name begins with (PATH.jsonl,
      PATH_test.jsonl, PATH_dev.jsonl), or the directory that it is in as
      test.jsonl or dev.jsonl; any of them may be gzipped.
    flag: names the place in messages.
    suffixes: that its name may have.

  Raises:
    UsageError: there is none.
  """
  base = pathlib.Path(place).expanduser()
  if base.is_file():
    return base
  stems = [f"{base}/{name}" for name in SPLITS]
  if not base.is_dir():
    stems = [str(base), *(f"{base}_{name}" for name in SPLITS)]
  tried = [f"{stem}{suffix}" for stem in stems for suffix in suffixes]
  for name in tried:
    if pathlib.Path(name).is_file():
      return pathlib.Path(name)
  raise UsageError(f"{flag}: no such file; tried {', '.join(tried)}")


def of_file(path: pathlib.Path) -> Iterator[tuple[str, Record]]:
  """Where each record is, for messages, and the record.

  Raises:
    UsageError: what is wrong with a line, by number, or there is none.
  """
  empty = True
  for number, line in enumerate(lines.raw(path), start=1):
    if line.strip():
      empty = False
      where = f"{path}, line {number}"
      yield where, labelled.record(line, where)
  if empty:
    raise UsageError(f"{path}: is empty")


def read(
  place: str, flag: str, tfds: str = "", split: str = "test"
) -> Iterator[tuple[str, Record]]:
  """The records of a local place, or of a TFDS data set where there is none.

  Raises:
    UsageError: they can't be had; without a TFDS name it says how.
  """
  if place:
    return of_file(find(place, flag))
  if not tfds:
    raise UsageError(f"{flag}: needs --task_data=TASK=PATH, a file of JSONL")
  return labelled.tfds_records(tfds, split, flag)


def text(record: Record, names: tuple[str, ...], where: str) -> str:
  """A field of text, which is not empty.

  Args:
    record: of `read`.
    names: that the field may have, in the order of preference.
    where: of the record.
  """
  value = labelled.found(record, names, where)
  if not isinstance(value, str) or not value.strip():
    raise UsageError(f"{where}: field {names[0]}={short(value)}: must be text")
  return value


def one_of(
  record: Record, names: tuple[str, ...], valid: Sequence[Any], where: str
) -> Any:
  """A field that is one of a few values, as text or number."""
  value = labelled.found(record, names, where)
  for known in valid:
    if str(value) == str(known):
      return known
  raise UsageError(
    f"{where}: field {names[0]}={short(value)}: must be one of"
    f" {', '.join(map(str, valid))}"
  )


def chosen(items: Sequence[T], limit: int, seed: int) -> list[T]:
  """All items, or so many of them, drawn by the seed, in their order."""
  if not limit or limit >= len(items):
    return list(items)
  places = random.Random(f"items {seed}").sample(range(len(items)), limit)
  return [items[i] for i in sorted(places)]


def balanced(
  items: Sequence[T], limit: int, seed: int, group: Callable[[T], str]
) -> list[T]:
  """As `chosen`, as many of each group, or one more of some.

  A group that has fewer gives all that it has.

  Args:
    items, limit, seed: as of `chosen`.
    group: names that of an item.
  """
  if not limit or limit >= len(items):
    return list(items)
  places: dict[str, list[int]] = {}
  for place, item in enumerate(items):
    places.setdefault(group(item), []).append(place)
  draws = random.Random(f"items {seed}")
  for own in places.values():
    draws.shuffle(own)
  found: list[int] = []
  while len(found) < limit:
    turn = [own.pop() for own in places.values() if own]
    left = limit - len(found)
    found += turn if len(turn) <= left else draws.sample(turn, left)
  return [items[i] for i in sorted(found)]


def configurations(name: str) -> list[str]:
  """Those of a TFDS data set, by name."""
  from lm_jax.data import catalog

  return catalog.configurations(name)
