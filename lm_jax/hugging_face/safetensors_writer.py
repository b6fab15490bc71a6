"""Writes weights as Hugging Face directories hold them, a tensor at a time."""

from __future__ import annotations

import json
import math
import os
import shutil
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np

from lm_jax.hugging_face.safetensors_reader import DTYPES, METADATA
from lm_jax.support.errors import UsageError

SINGLE = "model.safetensors"
INDEX = "model.safetensors.index.json"
_PARTIAL = ".weights.partial"
_BLOCK = 16 << 20  # bytes that a tensor in another order is copied by
_NAMES = {dtype: name for name, dtype in DTYPES.items()}


class _Tensor(NamedTuple):
  name: str
  dtype: np.dtype
  shape: tuple[int, ...]
  make: Callable[[], np.ndarray]

  @property
  def nbytes(self) -> int:
    return self.dtype.itemsize * math.prod(self.shape)


def write(
  directory: Path,
  tensors: Iterable[tuple[str, np.dtype, Sequence[int], Callable]],
  shard_bytes: float = 5e9,
) -> None:
  """Writes weights as model.safetensors, or as shards and their index.

  They replace the weights that were there when all are on disk, and not
  before: what is interrupted leaves the old ones. For one writer at a time.

  Args:
    directory: created if need be.
    tensors: (name, dtype, shape, make); make() is called once and gives the
      array, and nothing keeps it.
    shard_bytes: above this, another shard begins.

  Raises:
    UsageError: it cannot be written (the disk is full).
    ValueError: two tensors of one name, a dtype that safetensors lacks, or
      an array that is not as was said.
  """
  checked = [
    _Tensor(name, np.dtype(dtype), tuple(shape), make)
    for name, dtype, shape, make in tensors
  ]
  _check(checked)
  shards = _split(checked, shard_bytes)
  directory = Path(directory)
  partial = directory / _PARTIAL
  try:
    shutil.rmtree(partial, ignore_errors=True)  # of a writer that was killed
    partial.mkdir(parents=True)
    try:
      for name, part in shards.items():
        with (partial / name).open("wb") as file:
          _write_file(file, part)
      if list(shards) != [SINGLE]:
        _write_index(partial / INDEX, shards)
      _replace(directory, partial)
    finally:
      shutil.rmtree(partial, ignore_errors=True)
  except OSError as error:
    raise UsageError(
      f"{directory}: cannot be written ({error.strerror})"
    ) from error


def _check(tensors: Sequence[_Tensor]) -> None:
  names = [tensor.name for tensor in tensors]
  if len({*names, METADATA}) != len(names) + 1:
    raise ValueError(f"names must differ, and from {METADATA}: {names}")
  for tensor in tensors:
    if tensor.dtype not in _NAMES:
      raise ValueError(f"{tensor.name}: safetensors has no {tensor.dtype}")


def _split(
  tensors: Sequence[_Tensor], shard_bytes: float
) -> dict[str, list[_Tensor]]:
  """The tensors of each file, in their order."""
  parts: list[list[_Tensor]] = [[]]
  held = 0
  for tensor in tensors:
    if parts[-1] and held + tensor.nbytes > shard_bytes:
      parts.append([])
      held = 0
    parts[-1].append(tensor)
    held += tensor.nbytes
  if len(parts) == 1:
    return {SINGLE: parts[0]}
  return {
    f"model-{i:05d}-of-{len(parts):05d}.safetensors": part
    for i, part in enumerate(parts, 1)
  }


def _write_file(file: BinaryIO, tensors: Sequence[_Tensor]) -> None:
  # The library's own order, the widest first, so that all are aligned.
  tensors = sorted(tensors, key=lambda x: (-_rank(x.dtype), x.name))
  header: dict[str, dict] = {METADATA: {"format": "pt"}}
  end = 0
  for tensor in tensors:
    start, end = end, end + tensor.nbytes
    header[tensor.name] = {
      "dtype": _NAMES[tensor.dtype],
      "shape": list(tensor.shape),
      "data_offsets": [start, end],
    }
  text = json.dumps(header, ensure_ascii=False, separators=(",", ":"))
  content = text.encode("utf-8")
  content += b" " * (-len(content) % 8)
  file.write(len(content).to_bytes(8, "little") + content)
  for tensor in tensors:
    _write_data(file, tensor)
  file.flush()
  os.fsync(file.fileno())


def _rank(dtype: np.dtype) -> int:
  return list(DTYPES).index(_NAMES[dtype])


def _write_data(file: BinaryIO, tensor: _Tensor) -> None:
  """Writes a tensor; one that is not contiguous is copied by blocks."""
  array = tensor.make()
  if array.dtype != tensor.dtype or array.shape != tensor.shape:
    raise ValueError(
      f"{tensor.name}: {array.dtype}{list(array.shape)} came, and not "
      f"{tensor.dtype}{list(tensor.shape)}"
    )
  if not array.size:
    return
  rows = array.reshape(1) if not array.ndim else array
  count = len(rows)
  if not rows.flags.c_contiguous:
    count = max(1, _BLOCK // (tensor.nbytes // len(rows)))
  for i in range(0, len(rows), count):
    block = np.ascontiguousarray(rows[i : i + count])
    file.write(block.reshape(-1).view(np.uint8).data)


def _write_index(path: Path, shards: dict[str, list[_Tensor]]) -> None:
  tensors = [tensor for part in shards.values() for tensor in part]
  content = {
    "metadata": {
      "total_parameters": sum(math.prod(x.shape) for x in tensors),
      "total_size": sum(x.nbytes for x in tensors),
    },
    "weight_map": {
      tensor.name: shard for shard, part in shards.items() for tensor in part
    },
  }
  text = json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False)
  path.write_text(text + "\n", "utf-8")


def _replace(directory: Path, partial: Path) -> None:
  """Puts the new files in the place of the old.

  A reader looks for the single file first and then for the index. So what
  it would find goes first, and comes last: in between there are no weights,
  never those of two models.
  """
  new = sorted(
    (path.name for path in partial.iterdir()), key=lambda x: x == INDEX
  )
  old = {SINGLE, INDEX, *(x.name for x in directory.glob("model-*-of-*"))}
  if INDEX in new or SINGLE not in new:
    (directory / SINGLE).unlink(missing_ok=True)
  (directory / INDEX).unlink(missing_ok=True)
  for name in new:
    os.replace(partial / name, directory / name)
  for name in old - set(new):
    (directory / name).unlink(missing_ok=True)
