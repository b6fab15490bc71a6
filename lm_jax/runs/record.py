"""experiment.json: what an experiment is, and which runs it has."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import json
import pathlib
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from lm_jax import config as config_lib
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


def require_experiment(directory: str, name: str) -> None:
  """Raises UsageError if the directory holds a run, or another experiment."""
  flag = f"--workdir={directory}"
  other = "name another directory"
  if pathlib.Path(directory, "config.json").exists():
    raise UsageError(f"{flag}: holds a single run; {other}")
  old, _ = read(directory)
  if old and old.get("name") != name:
    raise UsageError(f"{flag}: holds the experiment {old.get('name')}; {other}")


def check_same(directory: str, name: str, configs: Sequence[Config]) -> None:
  """Raises UsageError if the directory holds something else.

  More or fewer seeds or arms, and another baseline, make no other experiment.
  """
  require_experiment(directory, name)
  for config in configs:
    workdir.check_same(config)
  _require_one_setting(former(directory, configs), configs)


def _require_one_setting(
  before: Sequence[Config], configs: Sequence[Config]
) -> None:
  """Raises UsageError if an arm has had other settings with other seeds.

  Its page would take them for seeds of one arm.
  """
  arms = {config.arm: config for config in configs}
  for old in before:
    if old.arm in arms:
      own = dataclasses.replace(
        arms[old.arm],
        name=old.name,
        workdir=old.workdir,
        seed=old.seed,
        seeds=old.seeds,
        branches=old.branches,
      )
      workdir.check_same(own)


def former(directory: str, configs: Sequence[Config]) -> list[Config]:
  """Reads the runs of former calls that stay part of an experiment.

  Args:
    configs: the runs of this call, which are left out.

  Returns:
    Their configurations, with the names that the experiment has for them; none
    of a run that has left no result, or whose file can't be read.
  """
  known = {config.name for config in configs}
  runs = []
  for run in read(directory)[1]:
    folder = pathlib.Path(directory, "runs", run.name)
    if run.name in known or not (folder / "result.json").exists():
      continue
    with contextlib.suppress(UsageError):  # The page says what is wrong there.
      config = config_lib.read(str(folder), "--workdir")
      runs.append(
        dataclasses.replace(
          config, name=run.name, arm=run.arm, workdir=str(folder)
        )
      )
  return runs


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
  arms = {run.arm for run in runs}
  dropped = arms - {config.arm for config in configs}
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
    "differs": _union(old.get("differs") if dropped else None, differs),
    "trials": _of_arms(old.get("trials"), trials, dropped),
    **_tuning(old.get("tuning"), tuning, dropped),
    "baseline": baseline,
    **(plan or {}),
    "runs": list(map(_as_object, runs)),
    **_sweeps(old, sweeps or {}, arms),
    **made,
  }
  text = json.dumps(content, indent=2) + "\n"
  write_atomically(pathlib.Path(directory, FILE), text)


def _union(old: Any, new: Sequence[str]) -> list[str]:
  """Lists what arms are meant to differ in, those of former calls included."""
  return list(dict.fromkeys([*new, *(old if isinstance(old, list) else [])]))


def _of_arms(old: Any, new: Any, dropped: Collection[str]) -> dict[str, Any]:
  """Adds what is on record of arms that this call has dropped."""
  kept = old.items() if isinstance(old, Mapping) else ()
  return {arm: one for arm, one in kept if arm in dropped} | dict(new or {})


def _tuning(
  old: Any, new: Mapping[str, Any] | None, dropped: Collection[str]
) -> dict[str, Any]:
  """Joins the tuning of this call with that of arms that it has dropped."""
  old = old if isinstance(old, Mapping) else {}
  arms = _of_arms(old.get("arms"), (new or {}).get("arms"), dropped)
  return {"tuning": {**(new or old), "arms": arms}} if arms else {}


def _sweeps(
  old: Mapping[str, Any], new: Mapping[str, Any], arms: Collection[str]
) -> dict[str, Any]:
  """The sweeps of all calls so far, and where arms stand in them."""
  sweeps = list(new.get("sweeps", []))
  sweeps += [one for one in old.get("sweeps") or [] if one not in sweeps]
  places = {**(old.get("swept") or {}), **new.get("swept", {})}
  swept = {arm: place for arm, place in places.items() if arm in arms}
  return {"sweeps": sweeps, "swept": swept} if swept else {}


def stop(directory: str, seeds: int) -> None:
  """Records that an experiment has stopped at a look, as it had planned."""
  path = pathlib.Path(directory, FILE)
  about, _ = collect.read(path)
  content = about | {"stopped": seeds}
  write_atomically(path, json.dumps(content, indent=2) + "\n")


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
