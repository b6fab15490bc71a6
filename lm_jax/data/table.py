"""Stores tokenized rows: shards of bounded size, read through memory maps.

Each row has a CRC-32 in a separate file, which is checked whenever the row is
read: a bit that a disk has flipped would silently train another model.
"""

from __future__ import annotations

import functools
import pathlib
import shutil
import zlib
from collections.abc import Iterator
from typing import IO, Any

import numpy as np

from lm_jax.data import pack, table_manifest
from lm_jax.data.table_manifest import Dtype, Manifest, Split, shard_name
from lm_jax.support import cache

SHARD_BYTES = 256 * 2**20


class Table:
  """The rows of a corpus that `Writer` wrote.

  length: tokens of a row.
  """

  def __init__(self, folder: pathlib.Path):
    manifest = table_manifest.read(folder, pack.FIELDS)
    self.length = manifest.length
    self.splits = manifest.splits
    self.folder = folder
    self._checks = manifest.checks
    self._dtype = np.dtype(manifest.dtype)
    self._shard_rows = manifest.shard_rows
    # Shards are opened as they are needed.
    self._shard = functools.cache(self._open_shard)

  def rows(self, split: str) -> int:
    """Returns the number of rows of a split."""
    return self.splits[split].rows

  @functools.cache  # noqa: B019
  def bytes(self, split: str) -> np.ndarray:
    """Returns the UTF-8 bytes of text of each row: int32 [rows]."""
    path = self.folder / f"{split}.bytes"
    bytes_R = _memory_map(path, (self.rows(split),), np.int32)
    checks = self._checks
    if checks is not None and zlib.crc32(bytes_R.data) != checks[split]:
      raise cache.damaged(self.folder, f"{path.name} is not what was written")
    return bytes_R

  def read_rows(self, split: str, rows_N: np.ndarray) -> np.ndarray:
    """Reads rows of a split: [4, N, length], in the given order.

    Raises:
      UsageError: a row is not what was written.
    """
    shape = (len(rows_N), pack.FIELDS, self.length)
    taken_NxFxL = np.empty(shape, self._dtype)
    shard_N, place_N = np.divmod(rows_N, self._shard_rows)
    for shard in np.unique(shard_N).tolist():
      chosen_N = shard_N == shard
      rows_MxFxL = self._shard(split, shard)
      taken_NxFxL[chosen_N] = rows_MxFxL[place_N[chosen_N]]
    if self._checks is not None:
      wanted_N = self._row_checks(split)[rows_N].tolist()
      for row, check, wanted in zip(
        rows_N, row_checks(taken_NxFxL), wanted_N, strict=True
      ):
        if check != wanted:
          raise cache.damaged(
            self.folder, f"row {row} of {split} is not what was written"
          )
    # Fields first from here on: a batch is an array of each.
    return taken_NxFxL.swapaxes(0, 1)

  @functools.cache  # noqa: B019
  def _row_checks(self, split: str) -> np.ndarray:
    path = self.folder / f"{split}.checks"
    return _memory_map(path, (self.rows(split),), np.uint32)

  def _open_shard(self, split: str, shard: int) -> np.ndarray:
    first = shard * self._shard_rows
    count = min(self._shard_rows, self.rows(split) - first)
    shape = (count, pack.FIELDS, self.length)
    path = self.folder / shard_name(split, shard)
    return _memory_map(path, shape, self._dtype)


def row_checks(rows_NxFxL: np.ndarray) -> Iterator[int]:
  """Yields the CRC-32 of each row."""
  for row_FxL in rows_NxFxL:
    yield zlib.crc32(row_FxL.data)


class Writer:
  """Writes a table of rows into an empty folder, split by split."""

  def __init__(self, folder: pathlib.Path, length: int, dtype: Dtype):
    self.folder = folder
    self._length = length
    self._dtype = dtype
    self._row_bytes = np.dtype(dtype).itemsize * pack.FIELDS * length
    self._shard_rows = max(1, SHARD_BYTES // self._row_bytes)
    self._rows: dict[str, int] = {}

  def append(self, split: str, chunk: pathlib.Path) -> None:
    """Appends a chunk of `chunks.make_rows`: rows, bytes of text, checks."""
    for kind in ("bytes", "checks"):
      with (
        (chunk / kind).open("rb") as source,
        (self.folder / f"{split}.{kind}").open("ab") as target,
      ):
        shutil.copyfileobj(source, target)
    rows = chunk / "rows"
    left = rows.stat().st_size // self._row_bytes
    written = self._rows.setdefault(split, 0)
    with rows.open("rb") as source:
      while left:
        shard, place = divmod(written, self._shard_rows)
        count = min(left, self._shard_rows - place)
        path = self.folder / shard_name(split, shard)
        with path.open("ab") as target:
          _copy(source, target, count * self._row_bytes)
        written += count
        left -= count
    self._rows[split] = written

  def finish(self, splits: dict[str, Split]) -> None:
    """Writes facts.json, which describes the table."""
    checks = {name: self._check_of_bytes(name) for name in splits}
    Manifest(self._length, self._dtype, self._shard_rows, splits, checks).write(
      self.folder
    )

  def _check_of_bytes(self, split: str) -> int:
    path = self.folder / f"{split}.bytes"
    return cache.checksum(path)[1] if path.exists() else zlib.crc32(b"")


def _copy(source: IO[bytes], target: IO[bytes], count: int) -> None:
  while count:
    data = source.read(min(count, 2**20))
    target.write(data)
    count -= len(data)


def _memory_map(
  path: pathlib.Path, shape: tuple[int, ...], dtype: Any
) -> np.ndarray:
  if not shape[0]:
    return np.zeros(shape, dtype)  # An empty file cannot be mapped.
  return np.memmap(path, dtype, mode="r", shape=shape)
