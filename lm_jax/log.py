"""metrics.jsonl and TensorBoard events of one run."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path


class MetricsLog:
  """One JSON object a logged step, and the same numbers for TensorBoard.

  Args:
    directory: of the run.
    step: lines behind it are dropped: a resumed run writes them again.
  """

  def __init__(self, directory: str | os.PathLike, step: int):
    from tensorboardX import SummaryWriter

    self._path = Path(directory, "metrics.jsonl")
    if self._path.exists():
      keep = [line for line in self._lines() if line["step"] <= step]
      text = "".join(json.dumps(line) + "\n" for line in keep)
      write_atomically(self._path, text)
    self._file = self._path.open("a", encoding="utf-8")
    purge = step + 1 if step else None
    self._events = SummaryWriter(
      str(Path(directory, "events")), purge_step=purge
    )

  def write(self, step: int, values: Mapping[str, float | int]) -> None:
    """Appends a line; `values` are plain numbers."""
    self._file.write(json.dumps({"step": step, **values}) + "\n")
    self._file.flush()
    for name, value in values.items():
      self._events.add_scalar(name, value, step)

  def close(self) -> None:
    self._file.close()
    self._events.close()

  def _lines(self) -> list[dict]:
    """The complete lines; a killed run may have left half of one."""
    lines = []
    for text in self._path.read_text(encoding="utf-8").splitlines():
      try:
        lines.append(json.loads(text))
      except ValueError:
        break
    return lines


def write_atomically(path: str | os.PathLike, text: str) -> None:
  """Replaces a file by its new content, whole or not at all."""
  path = Path(path)
  partial = path.with_name(f".{path.name}.{os.getpid()}")
  with partial.open("w", encoding="utf-8") as file:
    file.write(text)
    file.flush()
    os.fsync(file.fileno())
  partial.replace(path)
