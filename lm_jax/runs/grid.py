"""Arms crossed with swept values and seeds, each run under a name of its own.

A name is readable, unique and fit for a file: "mlm-rate=0.3-seed1".
"""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from lm_jax import config as config_lib
from lm_jax.config import Config, phases
from lm_jax.config import overrides as settings_lib
from lm_jax.config.seeds import KINDS
from lm_jax.runs import alike, seeding
from lm_jax.support.errors import UsageError

_LONGEST = 200  # characters of an arm's name; "-seed123" and suffixes follow
# What stands for a whole trunk.
_TRUNKS = ("size", "trunk.preset")


def parse(sweeps: Sequence[str]) -> dict[str, list[str]]:
  """The swept values by path.

  Args:
    sweeps: each "path=v1,v2"; a value with a comma stands in double quotes.

  Raises:
    UsageError: no path, no value, or one of them twice.
  """
  by_path: dict[str, list[str]] = {}
  for text in sweeps:
    path, equals, rest = text.partition("=")
    values = next(csv.reader([rest], skipinitialspace=True), [])
    if not path or not equals or not all(values) or not values:
      raise UsageError(
        f"--sweep={text}: must be an option and its values,"
        " optimizer.learning_rate=1e-3,3e-3"
      )
    if path in by_path or len(set(values)) < len(values):
      raise UsageError(f"--sweep={text}: the same thing twice")
    by_path[path] = values
  return by_path


class _Cell(NamedTuple):
  """An arm with one combination of values, and the parts of its name."""

  arm: str
  parts: tuple[str, ...]
  config: Config


def cross(
  arms: Sequence[Config],
  sweeps: Mapping[str, Sequence[str]],
  seeds: str | int,
  common: Mapping[str, str] | None = None,
) -> list[Config]:
  """Every arm with every combination of values, by every seed.

  Equal configurations are one run, whose name is what their names share. A size
  or a preset that is given replaces the options of the trunk that all arms
  share, and leaves those in which they differ. The seeds of an arm are 0, 1,
  ... from its own on, and follow one another, so that what was compiled for the
  first serves the others.

  Args:
    arms: what an experiment compares; `arm` names them, the objective where
      that is empty.
    sweeps: values by path.
    seeds: how many, or which kinds are crossed (lm_jax/runs/seeding.py).
    common: text by path, the same for every arm.

  Returns:
    Configurations with unique `name` and `arm`, without a workdir.

  Raises:
    UsageError: a value that does not fit, two arms or two values that are the
      same, a sweep that changes nothing.
  """
  common = common or {}
  asked = seeding.parse(str(seeds))
  of_seeds = [f"seed.{kind}" for kind in KINDS]
  for path in ("workdir", "name", "arm", "seed", *of_seeds):
    if path in sweeps:
      raise UsageError(f"--sweep={path}: can't be swept")
  for path in sweeps:
    if path in common:
      raise UsageError(
        f"--{path}={common[path]}: --sweep={path} has values of its own; give"
        " one of the two"
      )
  groups: dict[str, list[_Cell]] = {}
  for cell in _cells(arms, sweeps, common):
    groups.setdefault(alike.key(cell.config), []).append(cell)
  for cells in groups.values():
    _check_arms(cells, arms, sweeps, common)
    _check_values(cells)
  _check_effect(list(groups.values()), sweeps)
  runs: list[Config] = []
  for cells in groups.values():
    label, config = safe("-".join(_shared_parts(cells))), cells[0].config
    for run in seeding.seeded(config, asked):
      name = f"{label}-{run.name}"
      runs.append(dataclasses.replace(run, arm=label, name=name))
  for one, other in itertools.combinations(runs, 2):
    if one.name == other.name:
      raise UsageError(f"--sweep: two runs would both be called {one.name}")
  return runs


def _cells(
  arms: Sequence[Config],
  sweeps: Mapping[str, Sequence[str]],
  common: Mapping[str, str],
) -> Iterator[_Cell]:
  labels = _labels(sweeps)
  shared = [
    name
    for name, value in arms[0].trunk.items()
    if all(name in a.trunk and a.trunk[name] == value for a in arms)
  ]
  for arm in arms:
    if any(path in common or path in sweeps for path in _TRUNKS):
      trunk = {k: v for k, v in arm.trunk.items() if k not in shared}
      arm = dataclasses.replace(arm, trunk=trunk)
    name = arm.arm or phases.label(arm)
    for values in itertools.product(*sweeps.values()):
      swept = dict(zip(sweeps, values, strict=True))
      parts = [_part(labels[p], v) for p, v in swept.items()]
      config = settings_lib.override(arm, {**common, **swept})
      yield _Cell(name, (name, *parts), config)


def _part(label: str, value: str) -> str:
  """A swept value in the name of an arm."""
  if label == "objective":
    return value  # which says what it is
  return phases.name_of(value) if label == "phases" else f"{label}={value}"


def _shared_parts(cells: Sequence[_Cell]) -> list[str]:
  """The parts that the names of equal cells have in common."""
  columns = zip(*(cell.parts for cell in cells), strict=True)
  return [column[0] for column in columns if len(set(column)) == 1]


def _check_arms(
  cells: Sequence[_Cell],
  arms: Sequence[Config],
  sweeps: Mapping[str, Sequence[str]],
  common: Mapping[str, str],
) -> None:
  """Raises UsageError if arms are the same, and not by what is swept."""
  names = list(dict.fromkeys(cell.arm for cell in cells))
  if len(names) == 1:
    return
  flat = [config_lib.flat(arm) for arm in arms]
  differ = [p for p in flat[0] if any(x.get(p) != flat[0][p] for x in flat)]
  # Another objective takes its own architecture and options with it.
  swept = [p for p in differ if p in sweeps or p.partition(".")[0] in sweeps]
  if swept or ("architecture" in differ and "objective" in sweeps):
    return
  flags = [f"--{path}={common[path]}" for path in differ if path in common]
  raise UsageError(
    f"{' '.join(flags) or '--experiment'}: the arms {', '.join(names)} would be"
    " one and the same run"
  )


def _check_values(cells: Sequence[_Cell]) -> None:
  """Raises UsageError if a value is there twice, as 1e-3 and 0.001."""
  for one, other in itertools.combinations(cells, 2):
    if one.arm == other.arm and one.config == other.config:
      pairs = zip(one.parts, other.parts, strict=True)
      same = [f"{x} and {y}" for x, y in pairs if x != y]
      raise UsageError(f"--sweep: {', '.join(same)}: the same thing twice")


def _check_effect(
  groups: Sequence[Sequence[_Cell]], sweeps: Mapping[str, Sequence[str]]
) -> None:
  """Raises UsageError if a sweep of several values changes nothing at all."""
  for place, (path, values) in enumerate(sweeps.items(), 1):
    kept = any(len({c.parts[place] for c in cells}) == 1 for cells in groups)
    if len(values) > 1 and not kept:
      raise UsageError(
        f"--sweep={path}={','.join(values)}: changes nothing in any arm"
      )


def safe(text: str) -> str:
  """A text as a file name: other signs than A-Z a-z 0-9 . _ = + - become _.

  Of a very long one the end becomes a hash: file systems take 255 bytes.
  """
  name = re.sub(r"[^\w.=+-]+", "_", text, flags=re.ASCII).lstrip(".-") or "_"
  if len(name) <= _LONGEST:
    return name
  return (
    f"{name[: _LONGEST - 9]}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
  )


def _labels(paths: Mapping[str, object]) -> dict[str, str]:
  """The last part of each path, or all of it where two end alike."""
  last = {path: path.rpartition(".")[2] for path in paths}
  ends = list(last.values())
  return {p: p if ends.count(end) > 1 else end for p, end in last.items()}
