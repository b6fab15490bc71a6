"""The weights of a Hugging Face directory: safetensors, whole or in shards."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path

import numpy as np

from lm_jax.hugging_face.safetensors_reader import Entry, File
from lm_jax.hugging_face.safetensors_writer import INDEX, SINGLE
from lm_jax.hugging_face.safetensors_writer import (
  write as write,  # offered here too
)
from lm_jax.support import links, strict_json
from lm_jax.support.errors import UsageError

_PICKLES = (".bin", ".pt", ".pth", ".ckpt")
_SHARD = re.compile(r"[^/\\\0]+\.safetensors")


class Weights:
  """The tensors of a directory, read when asked for; for one thread.

  All headers are checked at once, no data is read. A context manager;
  `directory` is where they lie.

  Args:
    directory: with model.safetensors or, failing that,
      model.safetensors.index.json and the shards that it names.
    flag: names the directory in messages.

  Raises:
    UsageError: there are no weights, or only pickles; a file is damaged; the
      index and the shards disagree, or it names a file outside.
  """

  def __init__(self, directory: Path, flag: str = "--model"):
    directory = Path(directory)
    self.where = f"{flag}={directory}"
    self._home: dict[str, File] = {}
    with contextlib.ExitStack() as stack:
      if (directory / SINGLE).is_file():
        where = f"{self.where}: {SINGLE}"
        self._open(links.inside(directory / SINGLE, where=where), stack)
      elif (directory / INDEX).is_file():
        self._open_shards(directory, stack)
      else:
        raise self._none(directory)
      self._stack = stack.pop_all()

  def __enter__(self) -> Weights:
    return self

  def __exit__(self, *_: object) -> None:
    self.close()

  def close(self) -> None:
    self._stack.close()

  def names(self) -> list[str]:
    """Lists all tensors' names, in the order in which they are stored."""
    return list(self._home)

  def files(self) -> list[str]:
    """The names of the safetensors files that hold them."""
    return sorted({file.name for file in self._home.values()})

  def shape(self, name: str) -> tuple[int, ...]:
    return self._entry(name).shape

  def dtype(self, name: str) -> np.dtype:
    """Returns the dtype as stored; bfloat16 is that of ml_dtypes."""
    return self._entry(name).dtype

  def read(
    self, name: str, index: tuple[slice, ...] | None = None
  ) -> np.ndarray:
    """A tensor, or a part of it, as an array that owns its memory.

    Holds at most 16 MiB besides what it returns, whose memory is aligned so
    that jax can take it over.

    Args:
      name: KeyError if there is none such.
      index: slices without a step, for the first axes or for all.

    Raises:
      UsageError: the file was cut short meanwhile.
    """
    shape = self.shape(name)
    index = index or ()
    whole = (slice(None),) * (len(shape) - len(index))
    bounds = []
    for part, size in zip((*index, *whole), shape, strict=True):
      first, last, step = part.indices(size)
      if step != 1:
        raise ValueError(f"{name}: the slice {part} has a step")
      bounds.append((first, max(first, last)))
    return self._home[name].read(name, tuple(bounds))

  def _entry(self, name: str) -> Entry:
    return self._home[name].entries[name]

  def _open(self, path: Path, stack: contextlib.ExitStack) -> File:
    file = File(path, f"{self.where}: {path.name}")
    stack.callback(file.close)
    for name in file.entries:
      if name in self._home:
        raise UsageError(
          f"{self.where}: tensor {name!r} is in two shards; one of them is "
          f"{path.name}"
        )
      self._home[name] = file
    return file

  def _open_shards(self, directory: Path, stack: contextlib.ExitStack) -> None:
    """Opens the shards of the index, which must say what is in each."""
    listed = _read_index(directory / INDEX, f"{self.where}: {INDEX}")
    for shard in sorted(set(listed.values())):
      where = f"{self.where}: {INDEX}: the shard {shard!r}"
      file = self._open(_shard(directory, shard, where), stack)
      for name in file.entries:
        if name not in listed:
          raise UsageError(f"{where} has tensor {name!r}, not in the index")
    for name, shard in listed.items():
      if name not in self._home or self._home[name].name != shard:
        raise UsageError(
          f"{self.where}: {INDEX}: tensor {name!r} is not in {shard!r}"
        )

  def _none(self, directory: Path) -> UsageError:
    if not directory.is_dir():
      return UsageError(f"{self.where}: is not a directory")
    pickles = [x for x in directory.iterdir() if x.suffix in _PICKLES]
    if pickles:
      return UsageError(
        f"{self.where}: has its weights in a pickle only "
        f"({min(pickles).name!r}), which can run any code when it is loaded "
        "and is not read; if you trust it, load it in Transformers and "
        "convert it there: save_pretrained(DIR, safe_serialization=True)"
      )
    return UsageError(f"{self.where}: has neither {SINGLE} nor {INDEX}")


def _read_index(path: Path, where: str) -> dict[str, str]:
  """The shard of each tensor; nothing is known of the files yet."""
  content = strict_json.read(links.inside(path, where=where), where)
  listed = content.get("weight_map") if isinstance(content, dict) else None
  if not isinstance(listed, dict) or not listed:
    raise UsageError(f"{where}: has no weight_map")
  for name, shard in listed.items():
    if not isinstance(shard, str) or not _SHARD.fullmatch(shard):
      raise UsageError(
        f"{where}: puts tensor {name!r} in {shard!r:.80}; valid is the name "
        "of a .safetensors file in the same directory"
      )
  return listed


def _shard(directory: Path, name: str, where: str) -> Path:
  """A file of the directory itself, not by way of a link out of it."""
  path = directory / name
  try:
    there = path.is_file()
  except OSError as error:  # a name too long
    raise UsageError(f"{where} cannot be read ({error.strerror})") from error
  if not there:
    raise UsageError(f"{where} is missing")
  return links.inside(path, where=where)
