"""Reads records of tasks without training: one split, local or of TFDS."""

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
  """Finds the file with the records to measure on.

  Args:
    place: the file itself, the prefix of its name (PATH.jsonl,
      PATH_test.jsonl, PATH_dev.jsonl), or the directory that holds it as
      test.jsonl or dev.jsonl; any of them may be gzipped.
    flag: names the place in messages.
    suffixes: valid suffixes of its name.

  Raises:
    UsageError: there is no such file.
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


def read_file(path: pathlib.Path) -> Iterator[tuple[str, Record]]:
  """Yields the place, for messages, and the content of each record.

  Raises:
    UsageError: a line is not valid (with its number), or there is none.
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
  """Reads the records of a local place, or of a TFDS data set if it is "".

  Raises:
    UsageError: they are not available; without a TFDS name it says what to do.
  """
  if place:
    return read_file(find(place, flag))
  if not tfds:
    raise UsageError(f"{flag}: needs --task_data=TASK=PATH, a file of JSONL")
  return labelled.tfds_records(tfds, split, flag)


def text(record: Record, names: tuple[str, ...], where: str) -> str:
  """Returns a field of text, which is not empty.

  Args:
    record: one of `read`.
    names: of the field, preferred ones first.
    where: place of the record, for messages.
  """
  value = labelled.first_field(record, names, where)
  if not isinstance(value, str) or not value.strip():
    raise UsageError(f"{where}: field {names[0]}={short(value)}: must be text")
  return value


def one_of(
  record: Record, names: tuple[str, ...], valid: Sequence[Any], where: str
) -> Any:
  """Returns a field that must be one of a few values, as text or number."""
  value = labelled.first_field(record, names, where)
  for known in valid:
    if str(value) == str(known):
      return known
  raise UsageError(
    f"{where}: field {names[0]}={short(value)}: must be one of"
    f" {', '.join(map(str, valid))}"
  )


def chosen(items: Sequence[T], limit: int, seed: int) -> list[T]:
  """Returns `limit` items drawn by the seed, in their order; 0: all items."""
  if not limit or limit >= len(items):
    return list(items)
  places = random.Random(f"items {seed}").sample(range(len(items)), limit)
  return [items[i] for i in sorted(places)]


def balanced(
  items: Sequence[T], limit: int, seed: int, group: Callable[[T], str]
) -> list[T]:
  """Chooses items like `chosen`, equally many of each group (or one more).

  A group with fewer items gives all of them.

  Args:
    items, limit, seed: see `chosen`.
    group: returns the name of an item's group.
  """
  if not limit or limit >= len(items):
    return list(items)
  places: dict[str, list[int]] = {}
  for place, item in enumerate(items):
    places.setdefault(group(item), []).append(place)
  draws = random.Random(f"items {seed}")
  for own in places.values():
    draws.shuffle(own)
  drawn: list[int] = []
  while len(drawn) < limit:
    turn = [own.pop() for own in places.values() if own]
    left = limit - len(drawn)
    drawn += turn if len(turn) <= left else draws.sample(turn, left)
  return [items[i] for i in sorted(drawn)]


def configurations(name: str) -> list[str]:
  """Lists the configurations of a TFDS data set by name."""
  from lm_jax.data import catalog

  return catalog.configurations(name)
