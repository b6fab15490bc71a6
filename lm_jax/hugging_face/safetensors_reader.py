"""One safetensors file: its header, checked whole, and any part of its data.

The format (github.com/huggingface/safetensors): 8 bytes with the header's
length, little-endian; the header, JSON, with dtype, shape and place of each
tensor; the data. Nothing is mapped into memory: mapped pages count as this
process's, and a file that is cut short under a map kills the process.
"""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Any, NamedTuple

import ml_dtypes
import numpy as np

from lm_jax.support.errors import UsageError

# In the library's order, by which it sorts what it writes.
DTYPES: dict[str, np.dtype] = {
  "BOOL": np.dtype(np.bool_),
  "U8": np.dtype("<u1"),
  "I8": np.dtype("<i1"),
  "I16": np.dtype("<i2"),
  "U16": np.dtype("<u2"),
  "F16": np.dtype("<f2"),
  "BF16": np.dtype(ml_dtypes.bfloat16),
  "I32": np.dtype("<i4"),
  "U32": np.dtype("<u4"),
  "F32": np.dtype("<f4"),
  "F64": np.dtype("<f8"),
  "I64": np.dtype("<i8"),
  "U64": np.dtype("<u8"),
}
METADATA = "__metadata__"
MAX_HEADER = 100_000_000  # bytes, as in the library
_MAX_AXES = 32
_BLOCK = 16 << 20  # bytes held besides what was asked for
_ALIGNMENT = 64  # bytes; jax takes such memory over without a copy, on a CPU


class Entry(NamedTuple):
  """A tensor of a file; `start` is its first byte's place in the file."""

  dtype: np.dtype
  shape: tuple[int, ...]
  start: int


class File:
  """A regular safetensors file, open; for one thread at a time.

  `where` names it in messages. Raises UsageError where it cannot be read, or
  is no whole safetensors file.
  """

  def __init__(self, path: Path, where: str):
    self._where = where
    self.name = path.name
    try:
      self._file = path.open("rb", buffering=0)
    except OSError as error:
      raise UsageError(f"{where}: cannot be read ({error.strerror})") from error
    try:
      self.entries = self._read_header()
    except BaseException:
      self._file.close()
      raise

  def close(self) -> None:
    self._file.close()

  def read(self, name: str, bounds: tuple[tuple[int, int], ...]) -> np.ndarray:
    """A part of a tensor: of each axis [first, last); in aligned memory."""
    entry = self.entries[name]
    part = aligned_empty([b - a for a, b in bounds], entry.dtype)
    self._read_part(part, entry.start, entry.shape, bounds)
    return part

  def _read_part(self, out, start, shape, bounds) -> None:
    """Fills `out` with a part of the tensor of `shape` that is at `start`."""
    if not out.size:
      return
    row = out.dtype.itemsize * math.prod(shape[1:])
    first, last = bounds[0] if shape else (0, 1)
    if list(bounds[1:]) == [(0, size) for size in shape[1:]]:
      self._fill(out, start + first * row)
    elif row > _BLOCK:
      for i in range(first, last):
        self._read_part(out[i - first], start + i * row, shape[1:], bounds[1:])
    else:
      rows = min(_BLOCK // row, last - first)
      block = np.empty((rows, *shape[1:]), out.dtype)
      cut = tuple(slice(a, b) for a, b in bounds[1:])
      for i in range(first, last, rows):
        n = min(rows, last - i)
        self._fill(block[:n], start + i * row)
        out[i - first : i - first + n] = block[(slice(n), *cut)]

  def _fill(self, out: np.ndarray, start: int) -> None:
    """Fills a contiguous array with the bytes from `start` on."""
    view = out.reshape(-1).view(np.uint8).data
    self._file.seek(start)
    while view:
      count = self._file.readinto(view)
      if not count:
        raise UsageError(f"{self._where}: became shorter while it was read")
      view = view[count:]

  def _read_header(self) -> dict[str, Entry]:
    size = os.fstat(self._file.fileno()).st_size
    if size < 8:
      raise self._damaged(f"has {size} bytes, too few for any header")
    prefix = np.empty(8, np.uint8)
    self._fill(prefix, 0)
    length = int.from_bytes(prefix.tobytes(), "little")
    if length > size - 8:
      raise self._damaged(
        f"claims a header of {length} bytes and has {size} in all"
      )
    if length > MAX_HEADER:
      raise self._damaged(
        f"claims a header of {length} bytes; at most {MAX_HEADER} are valid"
      )
    content = np.empty(length, np.uint8)
    self._fill(content, 8)
    try:
      header = json.loads(
        content.tobytes().decode("utf-8"),
        object_pairs_hook=_unique,
        parse_constant=_refuse,
      )
    except (ValueError, RecursionError) as error:
      raise self._damaged("its header is not JSON") from error
    if not isinstance(header, dict):
      raise self._damaged("its header is not a JSON object")
    metadata = header.pop(METADATA, {})
    if not isinstance(metadata, dict) or not all(
      isinstance(value, str) for value in metadata.values()
    ):
      raise self._damaged(f"{METADATA} is not an object of strings")
    return self._lay_out(header, 8 + length, size)

  def _lay_out(
    self, header: dict[str, Any], data: int, size: int
  ) -> dict[str, Entry]:
    """The tensors in the file's order, which must cover the data exactly."""
    claims = {name: self._claim(name, header[name]) for name in header}
    order = sorted(claims, key=lambda name: claims[name][1:])
    entries, end = {}, 0
    for name in order:
      entry, start, after = claims[name]
      if start != end:
        what = "overlaps the tensor" if start < end else "leaves a hole"
        raise self._damaged(
          f"tensor {name!r} starts at byte {start} of the data and {what} "
          f"before, which ends at {end}"
        )
      end = after
      entries[name] = entry._replace(start=data + start)
    if data + end != size:
      raise self._damaged(
        f"is {'shorter' if size < data + end else 'longer'} than its header "
        f"says: {size} bytes, not {data + end}"
      )
    return entries

  def _claim(self, name: str, info: Any) -> tuple[Entry, int, int]:
    """Checks a tensor's entry in the header; returns its [start, end)."""
    if not isinstance(info, dict):
      raise self._damaged(f"tensor {name!r} is not described by an object")
    dtype: Any = info.get("dtype")
    shape: Any = info.get("shape")
    offsets: Any = info.get("data_offsets")
    if not isinstance(dtype, str) or dtype not in DTYPES:
      raise self._damaged(
        f"tensor {name!r} is of dtype {dtype!r:.40}; readable are "
        f"{', '.join(DTYPES)}"
      )
    if (
      not _counts(shape)
      or len(shape) > _MAX_AXES
      # numpy multiplies the axes of an empty array, too.
      or math.prod(max(1, axis) for axis in shape) >= 2**56
    ):
      raise self._damaged(f"tensor {name!r} has the shape {shape!r:.80}")
    if not _counts(offsets) or len(offsets) != 2:
      raise self._damaged(f"tensor {name!r} has the offsets {offsets!r:.80}")
    entry = Entry(DTYPES[dtype], tuple(shape), 0)
    nbytes = entry.dtype.itemsize * math.prod(shape)
    start, end = offsets
    if end - start != nbytes:
      raise self._damaged(
        f"tensor {name!r}, {dtype}{shape}, takes {nbytes} bytes, and its "
        f"offsets are {offsets}"
      )
    return entry, start, end

  def _damaged(self, fault: str) -> UsageError:
    return UsageError(f"{self._where}: is no whole safetensors file: {fault}")


def aligned_empty(shape: Any, dtype: np.dtype) -> np.ndarray:
  """An uninitialized array that jax can take over without a copy."""
  nbytes = dtype.itemsize * math.prod(shape)
  memory = np.empty(nbytes + _ALIGNMENT, np.uint8)
  first = -memory.ctypes.data % _ALIGNMENT
  return memory[first : first + nbytes].view(dtype).reshape(tuple(shape))


def _counts(value: Any) -> bool:
  """Returns whether it is a list of counts; True is no count."""
  return isinstance(value, list) and all(
    type(x) is int and 0 <= x < 2**63 for x in value
  )


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
  header = dict(pairs)
  if len(header) != len(pairs):
    raise ValueError("a name is there twice")
  for name in header:
    name.encode("utf-8")  # half a surrogate pair is no character
  return header


def _refuse(constant: str) -> Any:
  raise ValueError(f"{constant} is not JSON")
