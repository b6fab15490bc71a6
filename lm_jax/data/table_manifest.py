"""Reads facts.json of cached rows and checks it against the files."""

from __future__ import annotations

import functools
import json
import pathlib
import zlib
from collections.abc import Collection, Iterator
from typing import Any

from lm_jax.support import cache, strict_json
from lm_jax.support.errors import UsageError, short

FILE = "facts.json"
# The CRC-32 of the bytes behind the rows by split, and of facts.json itself;
# what earlier versions made has neither, nor any file of its rows' checks.
CHECKS, CHECK = "checks", "check"
_SPLITS = ("train", "validation", "test")
_ITEMSIZE = {"uint16": 2, "int32": 4}


def shard_name(split: str, shard: int) -> str:
  return f"{split}-{shard:05}.rows"


def read(
  folder: pathlib.Path, fields: int, names: Collection[str]
) -> dict[str, Any]:
  """Reads facts.json and checks the lengths of the files it names.

  Args:
    folder: of the rows in the cache.
    fields: number of fields of a row.
    names: of the counts of a split; "rows" is one.

  Raises:
    UsageError: it, or a file that it names, is damaged. (A memory map of a
      file that is too short would end in a system error, or in none.)
  """
  damaged = functools.partial(cache.damaged, folder)
  try:
    facts = strict_json.read(folder / FILE)
  except UsageError as error:
    raise damaged(str(error)) from None
  if not isinstance(facts, dict):
    raise damaged(f"{FILE} holds no object")
  if CHECK in facts and facts[CHECK] != check(facts):
    raise damaged(f"{FILE} is not what was written")
  size = _ITEMSIZE.get(str(facts.get("dtype")))
  if size is None:
    raise damaged(f"the dtype in {FILE}")
  for name in ("length", "shard_rows"):
    if not _counts(facts.get(name), 1):
      raise damaged(f"{name}={short(facts.get(name))} in {FILE}")
  splits = facts.get("splits")
  if not isinstance(splits, dict) or not {*_SPLITS} <= set(splits):
    raise damaged(f"splits={short(splits)} in {FILE}")
  checks = facts.get(CHECKS)
  if checks is not None and (
    not isinstance(checks, dict) or set(checks) != set(splits)
  ):
    raise damaged(f"{CHECKS}={short(checks)} in {FILE}")
  row_bytes = fields * facts["length"] * size
  for split, numbers in splits.items():
    if (
      not strict_json.is_file_name(split)
      or not isinstance(numbers, dict)
      or set(numbers) != set(names)
    ):
      raise damaged(f"what {FILE} counts of {short(split)}")
    for name, value in numbers.items():
      if not _counts(value):
        raise damaged(f"{name} of {split}={short(value)} in {FILE}")
    rows, shard_rows = numbers["rows"], facts["shard_rows"]
    sizes = dict(_files(split, rows, shard_rows, row_bytes, folder))
    if checks is not None:
      sizes[f"{split}.checks"] = 4 * rows
    for name, wanted in sizes.items():
      path = folder / name
      there = path.stat().st_size if path.is_file() else 0
      if there != wanted:
        raise damaged(
          f"{name} has {there} bytes, and its rows take {short(wanted)}"
        )
  return facts


def check(facts: dict[str, Any]) -> int:
  """Computes the CRC-32 of the rest of facts.json."""
  rest = {name: value for name, value in facts.items() if name != CHECK}
  return zlib.crc32(json.dumps(rest, sort_keys=True).encode())


def _files(
  split: str, rows: int, shard_rows: int, row_bytes: int, folder: pathlib.Path
) -> Iterator[tuple[str, int]]:
  """Yields the files of a split and their lengths in bytes."""
  yield f"{split}.bytes", 4 * rows
  shards = -(-rows // shard_rows)
  # No more are looked for than there may be: the number comes from the file.
  most = len(list(folder.glob(f"{split}-*.rows"))) + 1
  for shard in range(min(shards, most)):
    count = min(shard_rows, rows - shard * shard_rows)
    yield shard_name(split, shard), count * row_bytes


def _counts(value: Any, least: int = 0) -> bool:
  """Returns whether a value is an integer count. (True is not.)"""
  return type(value) is int and least <= value < 2**63
