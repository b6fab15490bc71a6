"""The directory of a page on several experiments (`report --with`)."""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
from collections.abc import Sequence
from typing import Any

from lm_jax import config as config_lib
from lm_jax.report import Report, collect, joined, replace
from lm_jax.report.collect import Experiment
from lm_jax.report.joined_parts import DATA, Part
from lm_jax.report.language import Code
from lm_jax.report.run import Run
from lm_jax.runs import run_command
from lm_jax.storage import disk, identity, lock, workdir
from lm_jax.support import strict_json
from lm_jax.support.errors import UsageError
from lm_jax.support.typed_json import as_kind, read_as

FILE = "joined.json"


@dataclasses.dataclass(frozen=True)
class Join:
  """The experiments of a page.

  directories: of the experiments, the first with the baseline.
  directory: of the page.
  """

  directories: tuple[str, ...]
  directory: str


def plan(workdir_: str, others: Sequence[str], to: str = "") -> Join:
  """Reads what flags ask for.

  Args:
    workdir_: of the first experiment.
    others: directories of the others.
    to: of the page; by default in the first experiment's directory.

  Raises:
    UsageError: one is no experiment, or the same as another; or the page's
      directory holds something else.
  """
  names = [name for name in others if name]
  if not names:
    raise UsageError("--with=: must name directories of experiments")
  directories = (workdir_, *names)
  known: dict[pathlib.Path, str] = {}
  for number, name in enumerate(directories):
    flag = "--with" if number else "--workdir"
    path = pathlib.Path(name)
    if not (path / "experiment.json").is_file():
      raise UsageError(
        f"{flag}={name}: holds no experiment; `compare` makes one"
      )
    place = path.resolve()
    if place in known:
      raise UsageError(f"{flag}={name}: is the same as {known[place]}")
    known[place] = name
  folders = "+".join(path.name for path in list(known)[1:])
  directory = to or str(pathlib.Path(workdir_, f"with-{folders}"))
  result = Join(directories, directory)
  _require_own(result, "--to" if to else "--with")
  return result


def read(directory: str) -> Join | None:
  """Reads what a directory's page is on; None if it is no such page."""
  path = pathlib.Path(directory, FILE)
  if not path.is_file():
    return None
  tree = read_as(path, dict)
  names = as_kind(tree.get("experiments"), list[str], f"{path}: experiments")
  if len(names) < 2:
    raise UsageError(f"{path}: experiments: must be two or more")
  places = tuple(os.path.normpath(os.path.join(directory, n)) for n in names)
  return Join(places, directory)


def write(asked: Join, command: str, language: Code = "en") -> Report:
  """Joins experiments and writes their page; none of theirs is changed.

  Raises:
    UsageError: one can't be read, or the page can't be written.
  """
  parts = [_part(collect.load(name)) for name in asked.directories]
  directory = asked.directory
  report = Report(
    joined.join(parts, pathlib.Path(directory), command), run_command.read
  )
  root = workdir.create(directory)
  with (
    lock.hold(directory),
    disk.disk_errors_as_usage(f"--to={directory}"),
  ):
    # First: it tells the next call that the directory is its own.
    replace(root / FILE, _record(asked).encode())
    report.write(language)
  return report


def _record(asked: Join) -> str:
  """Returns the content of joined.json, with paths from its directory."""
  root = pathlib.Path(asked.directory).resolve()
  names = [
    os.path.relpath(pathlib.Path(name).resolve(), root)
    for name in asked.directories
  ]
  return json.dumps({"experiments": names}, indent=1) + "\n"


def _require_own(asked: Join, flag: str) -> None:
  """Raises UsageError if a directory holds anything but this page."""
  directory = asked.directory
  workdir.check(directory, flag)
  root = pathlib.Path(directory)
  if not root.is_dir() or all(p.name == lock.FILE for p in root.iterdir()):
    return
  if not (root / FILE).is_file():
    raise UsageError(
      f"{flag}: {directory} is not empty and holds no page of joined"
      " experiments; --to names another directory"
    )
  if strict_json.text_of(root / FILE) != _record(asked):
    raise UsageError(
      f"{flag}: {directory} holds the page of other experiments; --to names"
      " another directory"
    )


def _part(experiment: Experiment) -> Part:
  known = {run.name: _configuration(run) for run in experiment.runs}
  return Part(
    experiment,
    {name: text for name, text in known.items() if text},
    {run.name: _data(run.folder) for run in experiment.runs},
  )


def _configuration(run: Run) -> str:
  """Hashes a run's configuration, whatever its seeds; "" if unknown.

  Branches change nothing of the run that they leave.
  """
  try:
    config = config_lib.read(str(run.folder), "")
  except UsageError:
    return ""
  return identity.fingerprint(
    dataclasses.replace(config, seed=0, seeds={}, branches="")
  )


def _data(run: pathlib.Path) -> dict[str, str]:
  """Reads the fingerprints of a run's data from its last checkpoint.

  {} where there is none, or it does not tell.
  """
  folder = run / "checkpoints"
  if not folder.is_dir():
    return {}
  steps = sorted(
    (p for p in folder.iterdir() if p.name.isdecimal()),
    key=lambda path: int(path.name),
  )
  for step in reversed(steps):
    tree: Any = {}
    try:
      tree = strict_json.read(step / "meta" / "metadata", finite=False)
    except UsageError:
      continue
    for name in ("meta", "data"):
      tree = tree.get(name) if isinstance(tree, dict) else None
    if isinstance(tree, dict):
      known = {path: tree.get(path) for path in DATA}
      return {p: value for p, value in known.items() if isinstance(value, str)}
  return {}
