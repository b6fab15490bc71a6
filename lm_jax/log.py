"""metrics.jsonl and TensorBoard events of one run."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Mapping
from pathlib import Path


class MetricsLog:
  """One JSON object a logged step, and the same numbers for TensorBoard.

  Args:
    directory: of the run.
    step: that the run goes on from. Lines behind it are dropped, to be
      written again; those of the step itself are not written twice.
  """

  def __init__(self, directory: str | os.PathLike, step: int):
    from tensorboardX.event_file_writer import EventsWriter

    self._path = Path(directory, "metrics.jsonl")
    lines = [line for line in self._lines() if line["step"] <= step]
    write_atomically(self._path, "".join(map(_json, lines)))
    self._there = {(line["step"], *line) for line in lines}
    self._file = self._path.open("a", encoding="utf-8")
    # Without SummaryWriter's thread: where that cannot write it dies, and
    # whoever waits for it does so for ever.
    events = Path(directory, "events")
    events.mkdir(exist_ok=True)
    # Files of one second would have the same name.
    self._events = EventsWriter(str(events / "events"), f".{step}")
    self._purge(step + 1)

  def __enter__(self) -> MetricsLog:
    return self

  def __exit__(self, *_: object) -> None:
    try:
      self._file.close()
    finally:
      self._events.close()

  def write(self, step: int, values: Mapping[str, float | int]) -> None:
    """Appends a line; `values` are plain numbers, null if not finite."""
    finite = {k: v if math.isfinite(v) else None for k, v in values.items()}
    line = {"step": step, **finite}
    if (step, *line) in self._there:
      return
    self._file.write(_json(line))
    self._file.flush()
    self._scalars(step, finite)

  def _purge(self, step: int) -> None:
    """TensorBoard forgets what it has seen from a step on."""
    from tensorboardX.proto.event_pb2 import Event, SessionLog

    session = SessionLog(status=SessionLog.START)
    self._events.write_event(Event(step=step, session_log=session))
    self._events.flush()

  def _scalars(self, step: int, values: Mapping[str, float | None]) -> None:
    from tensorboardX.proto.event_pb2 import Event
    from tensorboardX.proto.summary_pb2 import Summary

    scalars = [
      Summary.Value(tag=name, simple_value=value)
      for name, value in values.items()
      if value is not None
    ]
    event = Event(
      wall_time=time.time(), step=step, summary=Summary(value=scalars)
    )
    self._events.write_event(event)
    self._events.flush()

  def _lines(self) -> list[dict]:
    """The complete lines; a killed run may have left half of one."""
    if not self._path.exists():
      return []
    lines = []
    for text in self._path.read_text(encoding="utf-8").splitlines():
      try:
        lines.append(json.loads(text))
      except ValueError:
        break
    return lines


def _json(line: dict) -> str:
  return json.dumps(line, allow_nan=False) + "\n"


def write_atomically(path: str | os.PathLike, text: str) -> None:
  """Replaces a file by its new content, whole or not at all."""
  path = Path(path)
  partial = path.with_name(f".{path.name}.{os.getpid()}")
  try:
    with partial.open("w", encoding="utf-8") as file:
      file.write(text)
      file.flush()
      os.fsync(file.fileno())
    partial.replace(path)
  except BaseException:
    partial.unlink(missing_ok=True)
    raise
