"""experiment.json: what an experiment is, and which runs it has."""

from __future__ import annotations

import dataclasses
import datetime
import json
import pathlib
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from lm_jax.config import Config
from lm_jax.config import seeds as seeds_lib
from lm_jax.report import collect
from lm_jax.report.run import Planned
from lm_jax.runs.attempt import is_complete
from lm_jax.storage import workdir
from lm_jax.storage.log import write_atomically
from lm_jax.support import machine
from lm_jax.support.errors import UsageError

FILE = "experiment.json"


def place(configs: Sequence[Config], directory: str) -> list[Config]:
  """Gives each run its directory, runs/<name>/ of the experiment's."""
  return [
    dataclasses.replace(c, workdir=str(pathlib.Path(directory, "runs", c.name)))
    for c in configs
  ]


def check_same(directory: str, name: str, configs: Sequence[Config]) -> None:
  """Raises UsageError if the directory holds something else.

  More or fewer seeds or arms, and another baseline, make no other experiment.
  """
  flag = f"--workdir={directory}"
  other = "name another directory"
  if pathlib.Path(directory, "config.json").exists():
    raise UsageError(f"{flag}: holds a single run; {other}")
  old, _ = read(directory)
  if old and old.get("name") != name:
    raise UsageError(f"{flag}: holds the experiment {old.get('name')}; {other}")
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
  differs: Sequence[str] = (),
  trials: Mapping[str, int] | None = None,
  tuning: Mapping[str, Any] | None = None,
  sweeps: Mapping[str, Any] | None = None,
  plan: Mapping[str, Any] | None = None,
) -> None:
  """Writes experiment.json; runs of former calls stay part of it.

  Where all runs are complete, so do the command, the machine and the date.

  Args:
    name: of the experiment's file.
    docstring: of the experiment's file, or what stands in its place; its first
      line is the question.
    command: what the user called.
    title: of its page; by default its name.
    trials: runs that tuned each arm.
    tuning: its trials and what they chose (runs/tuning.py).
    sweeps: the part of the file that is on sweeps (`grid.Crossed.record`).
    differs: what arms are meant to differ in (lm_jax/report/panel.py).
    plan: members that hold what was preregistered (runs/preregistration.py).
  """
  runs = [Planned(c.name, c.arm, c.seed, seeds_lib.apart(c)) for c in configs]
  known = {config.name for config in configs}
  old, former = read(directory)
  runs += [
    run
    for run in former
    if run.name not in known
    and pathlib.Path(directory, "runs", run.name, "result.json").exists()
  ]
  made = provenance(command)
  if all(map(is_complete, configs)):
    # Nothing will be run: what made the results stays on record.
    made |= {key: old[key] for key in made if key in old}
  content = {
    "name": name,
    "title": title or name,
    "question": docstring.strip().partition("\n")[0],
    "docstring": docstring,
    "changed": list(changed),
    "differs": list(differs),
    "trials": dict(trials or {}),
    **({"tuning": dict(tuning)} if tuning else {}),
    "baseline": baseline,
    **(plan or {}),
    "runs": list(map(_as_object, runs)),
    **_sweeps(old, sweeps or {}, {run.arm for run in runs}),
    **made,
  }
  text = json.dumps(content, indent=2) + "\n"
  write_atomically(pathlib.Path(directory, FILE), text)


def _sweeps(
  old: Mapping[str, Any], new: Mapping[str, Any], arms: Collection[str]
) -> dict[str, Any]:
  """The sweeps of all calls so far, and where arms stand in them."""
  sweeps = list(new.get("sweeps", []))
  sweeps += [one for one in old.get("sweeps") or [] if one not in sweeps]
  places = {**(old.get("swept") or {}), **new.get("swept", {})}
  swept = {arm: place for arm, place in places.items() if arm in arms}
  return {"sweeps": sweeps, "swept": swept} if swept else {}


def _as_object(run: Planned) -> dict[str, Any]:
  fields = dataclasses.asdict(run)
  if not run.seeds:
    del fields["seeds"]
  return fields


def provenance(command: str) -> dict[str, Any]:
  """The command, versions, machine and date that make results, for JSON."""
  now = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
  return {
    "command": command,
    "versions": machine.versions(),
    "machine": machine.describe(),
    "date": now.isoformat(),
  }


def read(directory: str) -> tuple[dict[str, Any], list[Planned]]:
  """Reads experiment.json, and its runs; nothing where there is none."""
  path = pathlib.Path(directory, FILE)
  return collect.read(path) if path.exists() else ({}, [])
