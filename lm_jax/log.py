"""metrics.jsonl and TensorBoard events of one run."""

from __future__ import annotations

import json
import math
import os
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
    from tensorboardX import SummaryWriter

    self._path = Path(directory, "metrics.jsonl")
    lines = [line for line in self._lines() if line["step"] <= step]
    write_atomically(self._path, "".join(map(_json, lines)))
    self._there = {(line["step"], *line) for line in lines}
    self._file = self._path.open("a", encoding="utf-8")
    self._events = SummaryWriter(
      str(Path(directory, "events")),
      purge_step=step + 1,
      # Files of one second would have the same name.
      filename_suffix=f".{step}",
    )

  def __enter__(self) -> MetricsLog:
    return self

  def __exit__(self, *_: object) -> None:
    self._file.close()
    self._events.close()

  def write(self, step: int, values: Mapping[str, float | int]) -> None:
    """Appends a line; `values` are plain numbers, null if not finite."""
    finite = {k: v if math.isfinite(v) else None for k, v in values.items()}
    line = {"step": step, **finite}
    if (step, *line) in self._there:
      return
    self._file.write(_json(line))
    self._file.flush()
    for name, value in finite.items():
      if value is not None:
        self._events.add_scalar(name, value, step)

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


class NoLog:
  """What the processes have that leave writing to the first one."""

  def __enter__(self) -> NoLog:
    return self

  def __exit__(self, *_: object) -> None:
    pass

  def write(self, step: int, values: Mapping[str, float | int]) -> None:
    pass


def _json(line: dict) -> str:
  return json.dumps(line, allow_nan=False) + "\n"


def write_atomically(path: str | os.PathLike, text: str) -> None:
  """Replaces a file by its new content, whole or not at all."""
  path = Path(path)
  partial = path.with_name(f".{path.name}.{os.getpid()}")
  with partial.open("w", encoding="utf-8") as file:
    file.write(text)
    file.flush()
    os.fsync(file.fileno())
  partial.replace(path)
