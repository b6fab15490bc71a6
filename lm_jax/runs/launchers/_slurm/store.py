"""The file jobs.json: which runs of an experiment SLURM was given, by job."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from lm_jax.storage import disk
from lm_jax.storage.log import write_atomically
from lm_jax.support.typed_json import read_as

FOLDER, FILE = "slurm", "jobs.json"


@dataclasses.dataclass(frozen=True)
class Submission:
  """Runs that were submitted together.

  name: of the jobs, which SLURM tells them by.
  runs: their names, in the order of the array.
  job: the number of the job or the array; "" until SLURM has answered.
  """

  name: str
  runs: tuple[str, ...]
  job: str = ""

  def numbers(self) -> dict[str, str]:
    """Returns each run's job, "12_3", or "12" of a single one."""
    if len(self.runs) == 1:
      return {self.runs[0]: self.job}
    return {run: f"{self.job}_{i}" for i, run in enumerate(self.runs)}


@dataclasses.dataclass(frozen=True)
class _Content:
  submissions: tuple[Submission, ...]


class Store:
  """The submissions of an experiment, kept in its directory.

  Raises:
    UsageError: the file is damaged.
  """

  def __init__(self, directory: str):
    self.folder = Path(directory, FOLDER)
    self._flag = f"--workdir={directory}"
    self._path = self.folder / FILE
    self._by_name: dict[str, Submission] = {}
    if self._path.exists():
      content = read_as(self._path, _Content)
      self._by_name = {s.name: s for s in content.submissions}

  def __iter__(self) -> Iterator[Submission]:
    return iter(list(self._by_name.values()))

  def names(self) -> list[str]:
    """Returns the names of all submissions."""
    return list(self._by_name)

  def put(self, submission: Submission) -> None:
    """Adds a submission, or replaces the one of its name."""
    self._write(self._by_name | {submission.name: submission})

  def remove(self, name: str) -> None:
    """Removes a submission, of which nothing is queued any more."""
    self._write({n: s for n, s in self._by_name.items() if n != name})

  def _write(self, by_name: Mapping[str, Submission]) -> None:
    values = [dataclasses.asdict(s) for s in by_name.values()]
    text = json.dumps({"submissions": values}, indent=2) + "\n"
    with disk.disk_errors_as_usage(self._flag):
      self.folder.mkdir(parents=True, exist_ok=True)
      write_atomically(self._path, text)
    self._by_name = dict(by_name)
