"""The directory of an evaluation: kept, gone on with, never another one's.

results.json is written after each task, so that a call that was interrupted
goes on behind the last one; the pages are made of it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import pathlib
from collections.abc import Iterator, Mapping
from typing import Any

from lm_jax.data.hashes import FileState
from lm_jax.evaluation import formats, predictions
from lm_jax.evaluation.flags import EvaluateFlags
from lm_jax.evaluation.results import Evaluation, Outcome, Row
from lm_jax.examples import parallel
from lm_jax.storage import disk, lock, workdir
from lm_jax.storage.digest import sha256
from lm_jax.storage.log import write_atomically
from lm_jax.support import strict_json, typed_json, version
from lm_jax.support.errors import UsageError, about, short

RESULTS = "results.json"
FOLDER = "predictions"
_HINT = "remove it to measure again"


class Store:
  """The outcomes of a model in a directory, task by task.

  Args:
    directory: of the evaluation.
    empty: what is flags, without outcomes.
    places: of local files, by task.
  """

  def __init__(
    self, directory: str, empty: Evaluation, places: Mapping[str, str]
  ):
    self._root = pathlib.Path(directory)
    self._places = dict(places)
    self._outcomes: dict[str, Outcome] = {}
    self._stamps: dict[str, str] = {}
    held = read(directory)
    if held is None:
      self._empty = empty
      return
    before, self._stamps = held
    if before.model["digest"] != empty.model["digest"]:
      raise _taken(
        directory,
        f"another model, {before.model['path']}, digest"
        f" {str(before.model['digest'])[:12]}, and not"
        f" {str(empty.model['digest'])[:12]}",
      )
    self._outcomes = {o.task: o for o in before.outcomes}
    self._places = {**before.flags["task_data"], **places}
    self._empty = empty

  @property
  def evaluation(self) -> Evaluation:
    """All that it holds."""
    flags = {**self._empty.flags, "task_data": self._places}
    outcomes = tuple(self._outcomes.values())
    return dataclasses.replace(self._empty, flags=flags, outcomes=outcomes)

  def get(self, task: str, stamp: str) -> Outcome | None:
    """Returns the outcome of a task, if it would be the same again."""
    if self._stamps.get(task) != stamp or task not in self._outcomes:
      return None
    path = self._path(task)
    if not path.exists():
      return None
    records = tuple(predictions.read(path))
    return dataclasses.replace(self._outcomes[task], predictions=records)

  def put(self, outcome: Outcome, stamp: str) -> None:
    """Keeps what was found for a task."""
    self._outcomes[outcome.task] = outcome
    self._stamps[outcome.task] = stamp
    tree = formats.as_object(self.evaluation) | {"stamps": self._stamps}
    text = json.dumps(tree, indent=1, ensure_ascii=False) + "\n"
    with disk.disk_errors_as_usage(f"--workdir={self._root}"):
      (self._root / FOLDER).mkdir(exist_ok=True)
      predictions.write(self._path(outcome.task), outcome.predictions)
      write_atomically(self._root / RESULTS, text)

  def _path(self, task: str) -> pathlib.Path:
    return self._root / FOLDER / f"{task}.jsonl"


def check(flags: EvaluateFlags) -> None:
  """Raises UsageError if flags.workdir can't become what is asked for."""
  workdir.check(flags.workdir)
  root = pathlib.Path(flags.workdir)
  held = read(flags.workdir)
  if held is None:
    if root.is_dir() and any(path.name != "lock" for path in root.iterdir()):
      raise UsageError(
        f"--workdir={root}: is not empty and holds no evaluation; name another"
        " directory"
      )
    return
  before, _ = held
  mine = flags.recorded()
  changed = [
    f"{name}: {_shown(before.flags.get(name))} -> {_shown(value)}"
    for name, value in mine.items()
    if before.flags.get(name) != value
  ]
  done = {outcome.task for outcome in before.outcomes}
  places = before.flags["task_data"]
  changed += [
    f"task_data of {name}: {places.get(name, 'TFDS')} ->"
    f" {flags.places.get(name, 'TFDS')}"
    for name in flags.tasks
    if name in done and places.get(name, "") != flags.places.get(name, "")
  ]
  if changed:
    raise _taken(flags.workdir, f"other flags ({', '.join(changed)})")


@contextlib.contextmanager
def opened(flags: EvaluateFlags, empty: Evaluation) -> Iterator[Store]:
  """The store of a call, held against other processes.

  Raises:
    UsageError: it holds another model's results, or can't be written.
  """
  workdir.create(flags.workdir)
  with lock.hold(flags.workdir):
    yield Store(flags.workdir, empty, flags.places)


def files(place: str, own: str = "") -> dict[str, FileState]:
  """Lists the files of a task's data in their present state.

  Args:
    place: of its local files; "" for none.
    own: the directory of the evaluation, which may be inside, and is no data.
  """
  if not place:
    return {}
  base = pathlib.Path(place).expanduser()
  if not base.exists():  # Pairs of languages may follow it.
    base = pathlib.Path(parallel.Place.parse(place).path).expanduser()
  inside = base.rglob("*") if base.is_dir() else base.parent.glob("*")
  results_of = pathlib.Path(own).absolute() if own else None
  return {
    str(path): FileState.read(path)
    for path in sorted(inside)
    if path.is_file()
    and str(path).startswith(str(base))
    and results_of not in path.absolute().parents
  }


def require_same(
  task: str, place: str, before: Mapping[str, FileState], own: str = ""
) -> None:
  """Raises UsageError if a task's data is not what it was.

  before: what `files` gave ahead of the first reading.
  """
  now = files(place, own)
  for path in sorted({*before, *now}):
    if before.get(path) != now.get(path):
      raise UsageError(
        f"--task_data={task}={place}: {path} changed while it was read; wait"
        " until it is complete, or name a copy"
      )


def stamp(found: Mapping[str, FileState], template: str) -> str:
  """Stamps what a task's numbers depend on besides flags and model.

  Args:
    found: that `files` gave.
    template: the text of its prompt.
  """
  listed = [[path, f.size, f.changed] for path, f in found.items()]
  return sha256([version.__version__, template, listed])


def read(directory: str) -> tuple[Evaluation, dict[str, str]] | None:
  """Reads results.json, without predictions, and the stamps by task.

  None where there is no such file.

  Raises:
    UsageError: it is damaged, or of another format.
  """
  path = pathlib.Path(directory, RESULTS)
  if not path.is_file():
    return None
  try:
    with about(f"{path}: damaged"):
      tree = strict_json.read(path, RESULTS)
      if not isinstance(tree, dict) or tree.get("format") != formats.FORMAT:
        raise UsageError("no results of `evaluate`")
      content = typed_json.as_kind(tree, _Content, RESULTS)
      return _checked(content), content.stamps
  except UsageError as error:
    raise UsageError(f"{error}; {_HINT}") from None


@dataclasses.dataclass(frozen=True)
class _Content:
  """The content of results.json."""

  model: dict[str, Any]
  flags: dict[str, Any]
  versions: dict[str, Any]
  stamps: dict[str, str]
  results: list[Row]


def _checked(content: _Content) -> Evaluation:
  for group, names in (
    ("model", ("path", "digest", "objective", "architecture")),
    ("flags", ("task_data", "seed", "limit")),
    ("versions", ("lm_jax",)),
  ):
    for name in names:
      if name not in getattr(content, group):
        raise UsageError(f"{group} has no {name}")
  typed_json.as_kind(content.flags["task_data"], dict, "task_data")
  by_task: dict[str, list[Row]] = {}
  for row in content.results:
    if not strict_json.is_file_name(row.task):
      raise UsageError(f"results: task={short(row.task)} can't be")
    by_task.setdefault(row.task, []).append(row)
  outcomes = tuple(Outcome(name, tuple(r)) for name, r in by_task.items())
  return Evaluation(content.model, content.flags, content.versions, outcomes)


def _shown(value: Any) -> str:
  if isinstance(value, list | tuple):
    return ",".join(map(str, value)) or "none"
  return short(value) if value not in ("", None) else "none"


def _taken(directory: str, holds: str) -> UsageError:
  return UsageError(
    f"--workdir={directory}: holds results of {holds}; name another directory"
  )
