"""experiment.json: what an experiment is, and which runs it has."""

from __future__ import annotations

import dataclasses
import datetime
import json
import pathlib
from collections.abc import Sequence

from lm_jax.config import Config
from lm_jax.runs import local
from lm_jax.storage import workdir
from lm_jax.storage.log import write_atomically
from lm_jax.support import machine, strict_json
from lm_jax.support.errors import UsageError, short

FILE = "experiment.json"


def place(configs: Sequence[Config], directory: str) -> list[Config]:
  """Gives each run its directory, runs/<name>/ of the experiment's."""
  return [
    dataclasses.replace(c, workdir=str(pathlib.Path(directory, "runs", c.name)))
    for c in configs
  ]


def check_same(directory: str, name: str, configs: Sequence[Config]) -> None:
  """Raises UsageError if the directory holds something else.

  More or fewer seeds, and another baseline, make no other experiment.
  """
  flag = f"--workdir={directory}"
  other = "name another directory"
  if pathlib.Path(directory, "config.json").exists():
    raise UsageError(f"{flag}: holds a single run; {other}")
  old = _read(directory)
  if old is not None:
    if old["name"] != name:
      raise UsageError(f"{flag}: holds the experiment {old['name']}; {other}")
    before = sorted({run["arm"] for run in old["runs"]})
    after = sorted({config.arm for config in configs})
    if before != after:
      raise UsageError(
        f"{flag}: holds an experiment with other arms"
        f" ({', '.join(before)} -> {', '.join(after)}); {other}"
      )
  for config in configs:
    workdir.check_same(config)


def write(
  directory: str,
  name: str,
  docstring: str,
  command: str,
  baseline: str,
  configs: Sequence[Config],
  title: str = "",
  changed: Sequence[str] = (),
) -> None:
  """Writes experiment.json; seeds of former calls stay part of it.

  Where all runs are complete, so do the command, the machine and the date.

  Args:
    directory: exists.
    name: of the experiment's file.
    docstring: of the experiment's file, or what stands in its place; its first
      line is the question.
    command: what the user called.
    baseline: the arm that the others are compared with.
    configs: of the runs, with names and arms.
    title: of its page; by default its name.
    changed: flags by which it differs from its file.
  """
  runs = [{"name": c.name, "arm": c.arm, "seed": c.seed} for c in configs]
  known = {config.name for config in configs}
  old = _read(directory) or {"runs": []}
  for run in old["runs"]:
    result = pathlib.Path(directory, "runs", run["name"], "result.json")
    if run["name"] not in known and result.exists():
      runs.append(run)
  now = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
  content = {
    "name": name,
    "title": title or name,
    "question": docstring.strip().partition("\n")[0],
    "command": command,
    "docstring": docstring,
    "changed": list(changed),
    "baseline": baseline,
    "runs": runs,
    "versions": machine.versions(),
    "machine": machine.describe(),
    "date": now.isoformat(),
  }
  if all(map(local.is_complete, configs)):
    # Nothing will be run: what made the results stays on record.
    made = ("command", "versions", "machine", "date")
    content |= {key: old[key] for key in made if key in old}
  text = json.dumps(content, indent=2) + "\n"
  write_atomically(pathlib.Path(directory, FILE), text)


def _read(directory: str) -> dict | None:
  path = pathlib.Path(directory, FILE)
  if not path.exists():
    return None
  content = strict_json.read(path)
  runs = content.get("runs") if isinstance(content, dict) else None
  if not isinstance(runs, list) or not isinstance(content.get("name"), str):
    raise UsageError(
      f"{path}: must be an object with a name and a list of runs"
    )
  for run in runs:
    if (
      not isinstance(run, dict)
      or not all(isinstance(run.get(key), str) for key in ("name", "arm"))
      or type(run.get("seed")) is not int
      or not strict_json.is_file_name(run["name"])
    ):
      raise UsageError(
        f"{path}: the run {short(run)}: must be an object with an arm, a seed "
        "and a name for its directory"
      )
  return content
