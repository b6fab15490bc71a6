"""Reads facts.json of cached rows and checks it against the files."""

from __future__ import annotations

import dataclasses
import functools
import json
import pathlib
import zlib
from collections.abc import Iterator
from typing import Literal

from lm_jax.data.text import SPLITS
from lm_jax.support import cache, strict_json
from lm_jax.support.errors import UsageError, short
from lm_jax.support.typed_json import as_kind

FILE = "facts.json"
# The CRC-32 of the rest of facts.json; earlier versions wrote none.
CHECK = "check"
Dtype = Literal["uint16", "int32"]
_ITEMSIZE = {"uint16": 2, "int32": 4}
_MOST = 2**63  # Counts are below it.


@dataclasses.dataclass(frozen=True)
class Split:
  """Counts of a split of a corpus.

  rows: number of rows. positions: those that are not padding. documents: those
  that begin in it; duplicates: those whose text equals that of an earlier one.
  tokens, bytes: of the text. longest: tokens of the longest document.
  """

  rows: int
  positions: int
  documents: int
  duplicates: int
  tokens: int
  bytes: int
  longest: int


@dataclasses.dataclass(frozen=True)
class Manifest:
  """The content of facts.json, but for its check.

  length, dtype: of the rows. shard_rows: the most rows of a file.
  checks: the CRC-32 of the bytes behind the rows by split; None where an
    earlier version made the table, whose rows have no checks either.
  """

  length: int
  dtype: Dtype
  shard_rows: int
  splits: dict[str, Split]
  checks: dict[str, int] | None = None

  @property
  def check(self) -> int:
    """CRC-32 of the content."""
    text = json.dumps(dataclasses.asdict(self), sort_keys=True)
    return zlib.crc32(text.encode())

  def write(self, folder: pathlib.Path) -> None:
    """Writes facts.json."""
    facts = dataclasses.asdict(self) | {CHECK: self.check}
    (folder / FILE).write_text(json.dumps(facts), "utf-8")


def shard_name(split: str, shard: int) -> str:
  return f"{split}-{shard:05}.rows"


def read(folder: pathlib.Path, fields: int) -> Manifest:
  """Reads facts.json, of rows of some fields; checks its files' lengths.

  Raises:
    UsageError: it, or a file that it names, is damaged. (A memory map of a
      file that is too short would end in a system error, or in none.)
  """
  damaged = functools.partial(cache.damaged, folder)
  try:
    facts = strict_json.read(folder / FILE)
    manifest: Manifest = as_kind(facts, Manifest, FILE)
  except UsageError as error:
    raise damaged(str(error)) from None
  if CHECK in facts and facts[CHECK] != manifest.check:
    raise damaged(f"{FILE} is not what was written")
  splits, checks = manifest.splits, manifest.checks
  checked = splits if checks is None else checks
  if not {*SPLITS} <= set(splits) or set(checked) != set(splits):
    raise damaged(f"the names of the splits in {FILE}: {short(splits)}")
  for name in ("length", "shard_rows"):
    if not 1 <= getattr(manifest, name) < _MOST:
      value = short(getattr(manifest, name))
      raise damaged(f"{name}={value} in {FILE}")
  row_bytes = fields * manifest.length * _ITEMSIZE[manifest.dtype]
  for split, counts in splits.items():
    if not strict_json.is_file_name(split):
      raise damaged(f"the name of a split in {FILE}: {short(split)}")
    for name, value in dataclasses.asdict(counts).items():
      if not 0 <= value < _MOST:
        raise damaged(f"{name} of {split}={short(value)} in {FILE}")
    sizes = dict(
      _files(split, counts.rows, manifest.shard_rows, row_bytes, folder)
    )
    if checks is not None:
      sizes[f"{split}.checks"] = 4 * counts.rows
    for name, wanted in sizes.items():
      path = folder / name
      there = path.stat().st_size if path.is_file() else 0
      if there != wanted:
        raise damaged(
          f"{name} has {there} bytes, and its rows take {short(wanted)}"
        )
  return manifest


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
