"""Tells what a directory of lm_jax is, and how far it has come.

A directory is one of lm_jax if a file says so that only lm_jax writes. Nothing
is written, and links are not followed.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from lm_jax.config.budget import CURRENCIES
from lm_jax.evaluation import store
from lm_jax.report import collect, protocol
from lm_jax.runs import joining
from lm_jax.storage import lock, result_file, trash, workdir
from lm_jax.support import status as status_lib
from lm_jax.support import strict_json
from lm_jax.support.errors import UsageError
from lm_jax.support.typed_json import as_kind, read_as

RUN, FINETUNING, IMPORT = "run", "finetuning", "import"
EXPERIMENT, PROTOCOL, EVALUATION = "experiment", "protocol", "evaluation"
COMPARISON = "comparison"
# The file that makes a directory one of a kind.
_FILES = {
  "experiment.json": EXPERIMENT,
  protocol.FILE: PROTOCOL,
  store.RESULTS: EVALUATION,
  "paired.json": COMPARISON,
  joining.FILE: COMPARISON,
}
KINDS = (RUN, FINETUNING, IMPORT, *dict.fromkeys(_FILES.values()))
RUNNING, UNFINISHED, NOT_STARTED, UNREADABLE = (
  *("running", "unfinished"),
  *("not started", "unreadable"),
)
# Of several runs the first of these says how all of them stand.
STATUSES = (
  *(RUNNING, UNREADABLE, status_lib.FAILED, status_lib.INTERRUPTED),
  *(UNFINISHED, NOT_STARTED, status_lib.DIVERGED, status_lib.DONE),
)
# Folders of an experiment with its runs: those of the comparison, and trials.
FOLDERS = ("runs", "tuning")
_TAIL = 2**16  # bytes of metrics.jsonl that hold the last line


@dataclasses.dataclass(frozen=True, kw_only=True)
class Entry:
  """A run, an experiment or another directory of lm_jax.

  path: of the directory, absolute.
  name: its path from the directory that is listed.
  status: one of STATUSES.
  objectives, arms: that it has; of an evaluation the tasks are its arms.
  step, share: of a run, the steps taken and the share of the budget spent.
  done, planned: of an experiment or a protocol, its runs.
  uses: what it was made from, models and tokenizers, as its files name them.
  members: the runs of an experiment or a protocol.
  certain: whether it is beyond doubt one of lm_jax's; a damaged file may be
    anybody's.
  """

  path: Path
  name: str
  kind: str
  status: str
  objectives: tuple[str, ...] = ()
  arms: tuple[str, ...] = ()
  step: int | None = None
  share: float | None = None
  done: int | None = None
  planned: int | None = None
  error: str = ""
  uses: tuple[str, ...] = ()
  members: tuple[Entry, ...] = ()
  certain: bool = True


def read(path: Path, name: str) -> Entry | None:
  """Reads a directory; None if it is none of lm_jax's.

  Args:
    path: of a directory, not of a link to one.
    name: what to call it.
  """
  for file, kind in _FILES.items():
    if _is_file(path / file):
      one = Entry(path=path, name=name, kind=kind, status=status_lib.DONE)
      try:
        content = read_as(path / file, dict)
        one = _READERS[kind](one, content)
      except UsageError as error:
        one = dataclasses.replace(
          one, status=UNREADABLE, error=str(error), certain=False
        )
      return _running(one)
  return _read_run(path, name)


def _running(one: Entry) -> Entry:
  held = lock.holder(one.path)
  return dataclasses.replace(one, status=RUNNING) if held else one


def _is_file(path: Path) -> bool:
  return path.is_file() and not path.is_symlink()


def _experiment(one: Entry, content: dict[str, Any]) -> Entry:
  as_kind(content.get("name"), str, f"{one.path}/experiment.json: name")
  _, planned = collect.read(one.path / "experiment.json")
  return _with_members(
    one, [run.name for run in planned], [run.arm for run in planned]
  )


def _protocol(one: Entry, content: dict[str, Any]) -> Entry:
  where = one.path / protocol.FILE
  cells = as_kind(content.get("cells"), list[dict], f"{where}: cells")
  names = [_texts(cell, "runs") + _texts(cell, "trials") for cell in cells]
  models = as_kind(content.get("models", {}), dict, f"{where}: models")
  arms = [str(cell.get("arm", "")) for cell in cells]
  one = _with_members(one, [name for some in names for name in some], arms)
  uses = [path for model in models for path in _texts(models, model)]
  return dataclasses.replace(one, uses=tuple(uses))


def _evaluation(one: Entry, content: dict[str, Any]) -> Entry:
  where = one.path / store.RESULTS
  model = as_kind(content.get("model"), dict, f"{where}: model")
  rows = as_kind(content.get("results"), list[dict], f"{where}: results")
  return dataclasses.replace(
    one,
    objectives=_known([model.get("objective")]),
    arms=_known(row.get("task") for row in rows),
  )


def _comparison(one: Entry, content: dict[str, Any]) -> Entry:
  if not {"predictions", "experiments"} & content.keys():
    raise UsageError(f"{one.path}: is no comparison of lm_jax")
  return one


_READERS = {
  EXPERIMENT: _experiment,
  PROTOCOL: _protocol,
  EVALUATION: _evaluation,
  COMPARISON: _comparison,
}


def _texts(tree: Mapping[str, Any], name: str) -> list[str]:
  values = tree.get(name)
  return [str(v) for v in values] if isinstance(values, list) else []


def _known(values: Iterable[Any]) -> tuple[str, ...]:
  """The texts among values, each once."""
  return tuple(dict.fromkeys(v for v in values if v and isinstance(v, str)))


def _with_members(
  one: Entry, names: Sequence[str], arms: Sequence[str]
) -> Entry:
  """Adds the runs in its folders, and counts those that are planned."""
  members = []
  for folder in filter(trash.is_directory, map(one.path.joinpath, FOLDERS)):
    for path in directories(folder):
      member = _read_run(path, f"{one.name}/{folder.name}/{path.name}")
      if member is not None:
        members.append(member)
  folder = one.path / FOLDERS[0]
  by_name = {m.path.name: m for m in members if m.path.parent == folder}
  planned = list(dict.fromkeys(names))
  statuses = [
    by_name[name].status if name in by_name else NOT_STARTED for name in planned
  ]
  return dataclasses.replace(
    one,
    status=min(statuses, key=STATUSES.index, default=NOT_STARTED),
    objectives=_known(x for m in members for x in m.objectives),
    arms=_known(arms),
    done=statuses.count(status_lib.DONE),
    planned=len(planned),
    members=tuple(members),
  )


def directories(folder: Path) -> list[Path]:
  """Lists the directories in a folder, but for hidden ones and links."""
  try:
    with os.scandir(folder) as entries:
      names = [
        entry.name
        for entry in entries
        if entry.is_dir(follow_symlinks=False)
        and not entry.name.startswith(".")
      ]
  except OSError:
    return []  # It is gone, or nobody's business.
  return [folder / name for name in sorted(names)]


def _read_run(path: Path, name: str) -> Entry | None:
  """Reads the directory of a run; None if it is none."""
  config = _read_object(path / "config.json")
  if not all(isinstance(config.get(n), dict) for n in ("data", "optimizer")):
    config = {}  # No run has such a one: Hugging Face's, for example.
  result, error = {}, ""
  if _is_file(path / result_file.FILE):
    try:
      result = result_file.read(path / result_file.FILE, "remove it")
    except UsageError as damage:
      error = str(damage)
  importing = _is_file(path / workdir.UNFINISHED)
  # A run that failed before it began has a result only.
  if not (config or importing or {"status", "error"} <= result.keys()):
    return None
  data = config.get("data", {})
  last = _last_line(path / "metrics.jsonl")
  status = UNFINISHED if last or importing else NOT_STARTED
  task = config.get("task")
  kind = FINETUNING if task else RUN
  if importing or config.get("arm") == "import":
    kind = IMPORT
  ledger = result.get("ledger") or last
  step = result.get("step", last.get("step"))
  return _running(
    Entry(
      path=path,
      name=name,
      kind=kind,
      status=UNREADABLE if error else result.get("status", status),
      objectives=_known([config.get("objective") or result.get("objective")]),
      arms=_known([config.get("arm") or result.get("arm"), task]),
      step=step if type(step) is int else None,
      share=_share(config.get("budget"), ledger, step),
      error=error or str(result.get("error") or ""),
      uses=_known([config.get("model"), data.get("tokenizer")]),
    )
  )


def _read_object(path: Path) -> dict[str, Any]:
  if _is_file(path):
    with contextlib.suppress(UsageError):
      return read_as(path, dict)
  return {}


def _last_line(path: Path) -> dict[str, Any]:
  """Reads the last whole line of metrics.jsonl; {} if there is none."""
  if not _is_file(path):
    return {}
  with contextlib.suppress(OSError, UsageError), path.open("rb") as file:
    file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL))
    *lines, _ = file.read().split(b"\n")
    if lines:
      text = lines[-1].decode("utf-8", "replace")
      return as_kind(strict_json.parse(text, path, finite=False), dict, path)
  return {}


def _share(budget: Any, ledger: Any, step: Any) -> float | None:
  """Returns the share of a budget that is spent; None where it isn't known."""
  currency, _, amount = str(budget).partition(":")
  if currency not in CURRENCIES or not isinstance(ledger, dict):
    return None
  spent = ledger.get(currency, step if currency == "steps" else None)
  try:
    return min(1.0, float(spent) / float(amount))  # type: ignore[arg-type]
  except (TypeError, ValueError, ZeroDivisionError, OverflowError):
    return None
