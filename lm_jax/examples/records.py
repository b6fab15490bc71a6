"""Reads records of tasks without training: one split, local or of TFDS."""

from __future__ import annotations

import pathlib
import random
from collections.abc import Callable, Sequence
from typing import TypeVar

from lm_jax.examples import files
from lm_jax.examples.files import Record, Source
from lm_jax.support.errors import UsageError, short

T = TypeVar("T")

SPLITS = (*files.NAMES[files.TEST], *files.NAMES[files.DEV])


def find(place: str, flag: str) -> pathlib.Path:
  """Finds the file with the records to measure on.

  Args:
    place: the file itself, the prefix of its name (PATH.jsonl,
      PATH_test.jsonl, PATH_dev.jsonl), or the directory that holds it as
      test.jsonl or dev.jsonl; any of them may be gzipped.
    flag: names the place in messages.

  Raises:
    UsageError: there is no such file.
  """
  base = pathlib.Path(place).expanduser()
  if base.is_file():
    return base
  paths = files.named(place, SPLITS, (".jsonl",))
  if not base.is_dir():
    paths = [*files.either(f"{base}.jsonl"), *paths]
  return files.need(paths, flag)


def read_file(path: pathlib.Path) -> Source:
  """Yields the records of a file, named by their line numbers.

  Raises:
    UsageError: a line is not valid (with its number), or there is none.
  """
  empty = True
  for one in files.records(path, ids=False):
    empty = False
    yield one
  if empty:
    raise UsageError(f"{path}: is empty")


def read(place: str, flag: str, tfds: str = "", split: str = "test") -> Source:
  """Reads the records of a local place, or of a TFDS data set if it is "".

  They are named by the last word of their place, "12" or "test[11]".

  Raises:
    UsageError: they are not available; without a TFDS name it says what to do.
  """
  if place:
    return read_file(find(place, flag))
  if not tfds:
    raise UsageError(f"{flag}: needs --task_data=TASK=PATH, a file of JSONL")
  return (
    (where, where.rpartition(" ")[2], record)
    for where, _, record in files.from_tfds(tfds, split, flag)
  )


def text(record: Record, *names: str) -> str:
  """Returns a field of text, which is not empty; see `files.field`."""
  value = files.field(record, *names)
  if not value.strip():
    raise UsageError(f"field {names[0]}={short(value)}: must be text")
  return value


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
