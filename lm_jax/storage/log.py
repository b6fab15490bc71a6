"""Writes metrics.jsonl and TensorBoard events of one run."""

from __future__ import annotations

import dataclasses
import errno
import json
import math
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

from lm_jax.data import lines
from lm_jax.storage import litter
from lm_jax.support import strict_json
from lm_jax.support.errors import advising
from lm_jax.support.typed_json import as_kind


class MetricsLog:
  """Logs a JSON object per logged step, and the same numbers for TensorBoard.

  Args:
    directory: of the run.
    step: the step that the run continues from. Later lines are dropped, to be
      written again; lines of this step are not written twice.
  """

  def __init__(self, directory: str | os.PathLike, step: int):
    # Here, before the training's clock runs: it takes more than a second where
    # it finds PyTorch, and the first run of several would pay for all.
    import tensorboardX.event_file_writer  # noqa: F401

    self._path = Path(directory, "metrics.jsonl")
    kept = [line for line in read(self._path) if line["step"] <= step]
    write_atomically(self._path, "".join(map(_json, kept)))
    self._there = {(line["step"], *line) for line in kept}
    self._file = self._path.open("a", encoding="utf-8")
    self._step = step
    self._opened: Any = None
    Path(directory, "events").mkdir(exist_ok=True)

  def __enter__(self) -> MetricsLog:
    return self

  def __exit__(self, *_: object) -> None:
    try:
      self._file.close()
    finally:
      if self._opened is not None:
        self._opened.close()

  def write(self, step: int, values: Mapping[str, float | int]) -> None:
    """Appends a line; `values` are plain numbers, null if not finite."""
    finite = {k: v if math.isfinite(v) else None for k, v in values.items()}
    line = {"step": step, **finite}
    if (step, *line) in self._there:
      return
    self._file.write(_json(line))
    self._file.flush()
    self._scalars(step, finite)

  def _scalars(self, step: int, values: Mapping[str, float | None]) -> None:
    """Writes an event for TensorBoard; the first one opens its file."""
    from tensorboardX.event_file_writer import EventsWriter
    from tensorboardX.proto.event_pb2 import Event, SessionLog
    from tensorboardX.proto.summary_pb2 import Summary

    if self._opened is None:
      # Without SummaryWriter's thread: where that cannot write it dies, and
      # a thread that waits for it waits for ever. Files of one second would
      # have the same name.
      place = self._path.with_name("events") / "events"
      self._opened = EventsWriter(str(place), f".{self._step}")
      # TensorBoard forgets the events from the next step on.
      session = SessionLog(status=SessionLog.START)
      event = Event(step=self._step + 1, session_log=session)
      self._opened.write_event(event)
    scalars = [
      Summary.Value(tag=name, simple_value=value)
      for name, value in values.items()
      if value is not None
    ]
    self._opened.write_event(
      Event(wall_time=time.time(), step=step, summary=Summary(value=scalars))
    )
    self._opened.flush()


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
