"""Writes metrics.jsonl of one run."""

from __future__ import annotations

import dataclasses
import errno
import json
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from lm_jax.data import lines
from lm_jax.storage import litter
from lm_jax.support import strict_json
from lm_jax.support.errors import advising
from lm_jax.support.typed_json import as_kind


class Follower(Protocol):
  """Gets what a run logs, too (lm_jax/storage/tracking.py)."""

  def start(self, step: int, lines: Sequence[dict[str, Any]]) -> None:
    """Gets the step that the run continues from, and the lines so far."""

  def log(self, line: dict[str, Any]) -> None:
    """Gets a new line."""


class MetricsLog:
  """Logs a JSON object per logged step, and hands it to those that follow.

  Args:
    directory: of the run.
    step: the step that the run continues from. Later lines are dropped, to be
      written again; lines of this step are not written twice.
    follower: gets the same lines.
  """

  def __init__(
    self,
    directory: str | os.PathLike,
    step: int,
    follower: Follower | None = None,
  ):
    self._path = Path(directory, "metrics.jsonl")
    before = read(self._path)
    kept = [line for line in before if line["step"] <= step]
    write_atomically(self._path, "".join(map(_json, kept)))
    self._there = {(line["step"], *line) for line in kept}
    self._file = self._path.open("a", encoding="utf-8")
    self._follower = follower
    if follower is not None:
      follower.start(step, before)

  def __enter__(self) -> MetricsLog:
    return self

  def __exit__(self, *_: object) -> None:
    self._file.close()

  def write(self, step: int, values: Mapping[str, float | int]) -> None:
    """Appends a line; `values` are plain numbers, null if not finite."""
    finite = {k: v if math.isfinite(v) else None for k, v in values.items()}
    line = {"step": step, **finite}
    if (step, *line) in self._there:
      return
    self._file.write(_json(line))
    self._file.flush()
    if self._follower is not None:
      self._follower.log(line)


@dataclasses.dataclass(frozen=True)
class _Line:
  step: int


def read(path: Path) -> list[dict]:
  """Reads the complete lines of a metrics.jsonl; [] if there is none.

  A killed run may have left half of the last line; a complete line that is
  damaged raises UsageError, as it would be lost at the next start.
  """
  if not path.exists():
    return []
  with path.open("rb") as file:
    return [
      _parse(data, f"{path}, line {number}: damaged")
      for number, data in enumerate(file, 1)
      if data.endswith(b"\n")
    ]


def _parse(data: bytes, where: str) -> dict:
  with advising("mend it, or remove the line"):
    line = strict_json.parse(lines.decoded(data, where), where)
    as_kind(line, _Line, where)
  return line


class NoLog:
  """Log of the processes that leave writing to the first one."""

  def __enter__(self) -> NoLog:
    return self

  def __exit__(self, *_: object) -> None:
    pass

  def write(self, step: int, values: Mapping[str, float | int]) -> None:
    pass


def _json(line: dict) -> str:
  return json.dumps(line, allow_nan=False) + "\n"


def _made(path: Path) -> BinaryIO:
  """Creates a file; PermissionError where the directory takes none (/proc)."""
  try:
    return path.open("wb")
  except FileNotFoundError as error:
    number = errno.EACCES
    raise PermissionError(number, os.strerror(number), str(path)) from error


def write_atomically(path: str | os.PathLike, content: str | bytes) -> None:
  """Replaces a file by its new content, whole or not at all.

  Files that killed writers of it have left beside it are removed.
  """
  path = Path(path)
  partial = path.with_name(f".{path.name}.{os.getpid()}")
  mark = f".{path.name}."
  litter.sweep(
    path.with_name(name)
    for name in os.listdir(path.parent)
    if name.startswith(mark) and name[len(mark) :].isdecimal()
  )
  try:
    data = content.encode() if isinstance(content, str) else content
    with _made(partial) as file, litter.held(partial):
      file.write(data)
      file.flush()
      os.fsync(file.fileno())
    partial.replace(path)
  except BaseException:
    partial.unlink(missing_ok=True)
    raise
