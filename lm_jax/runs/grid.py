"""Arms crossed with swept values and seeds, each run under a name of its own.

A name is readable, unique and fit for a file: "mlm-rate=0.3-seed1".
"""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from lm_jax import config as config_lib
from lm_jax.config import Config, phases
from lm_jax.config import overrides as settings_lib
from lm_jax.report.sweeps import Place, Swept
from lm_jax.runs import alike, seeding
from lm_jax.runs.sweeps import Sweep, of_arm
from lm_jax.support import file_names, registry
from lm_jax.support.errors import UsageError
from lm_jax.support.values import show

# What stands for a whole trunk.
_TRUNKS = ("size", "trunk.preset")


class Crossed(NamedTuple):
  """The runs of an experiment, and where they stand in its sweeps.

  runs: with unique `name` and `arm`, without a workdir.
  planned: combinations of arms and values; equal ones are one arm of `runs`.
  places: each arm of `runs`.
  former: the names that arms had before letters of all scripts were kept, by
    arm, where they differ.
  """

  runs: list[Config]
  planned: int
  sweeps: Sequence[Sweep]
  places: dict[str, Place]
  former: dict[str, str]

  def record(self) -> dict[str, Any]:
    """The part of experiment.json on sweeps; {} where there are none."""
    if not self.sweeps:
      return {}
    sweeps = [
      Swept(list(sweep.paths), list(map(list, sweep.values)), sweep.arm)
      for sweep in self.sweeps
    ]
    return {
      "sweeps": list(map(dataclasses.asdict, sweeps)),
      "swept": {a: dataclasses.asdict(p) for a, p in self.places.items()},
    }


class _Cell(NamedTuple):
  """An arm with one combination of values, and the parts of its name."""

  arm: str
  points: dict[Sweep, tuple[str, ...]]
  parts: dict[str, str]
  config: Config

  @property
  def values(self) -> dict[str, str]:
    return _by_path(self.points)


def names_of(arms: Sequence[Config]) -> list[str]:
  """The names of arms: their own, or what they train."""
  return [arm.arm or phases.label(arm) for arm in arms]


def cross(
  arms: Sequence[Config],
  sweeps: Sequence[Sweep],
  seeds: str | int,
  common: Mapping[str, str] | None = None,
) -> list[Config]:
  """The runs of `crossed`."""
  return crossed(arms, sweeps, seeds, common).runs


def crossed(
  arms: Sequence[Config],
  sweeps: Sequence[Sweep],
  seeds: str | int,
  common: Mapping[str, str] | None = None,
) -> Crossed:
  """Every arm with every combination of values, by every seed.

  Equal configurations are one run, whose name is what their names share. A size
  or a preset that is given replaces the options of the trunk that all arms
  share, and leaves those in which they differ. The seeds of an arm are 0, 1,
  ... from its own on, and follow one another, so that what was compiled for the
  first serves the others.

  Args:
    arms: what an experiment compares; `arm` names them, the objective where
      that is empty.
    sweeps: made by `sweeps.parse`.
    seeds: how many, or which kinds are crossed (lm_jax/runs/seeding.py).
    common: text by path, the same for every arm.

  Raises:
    UsageError: a value that does not fit, two arms or two values that are the
      same, a sweep that changes nothing.
  """
  common = common or {}
  asked = seeding.parse(str(seeds))
  _check_paths(sweeps, names_of(arms), common)
  cells = list(_cells(arms, sweeps, common))
  groups: dict[str, list[_Cell]] = {}
  for cell in cells:
    groups.setdefault(alike.key(cell.config), []).append(cell)
  for group in groups.values():
    _check_arms(group, arms, common)
    _check_values(group)
  _check_effect(list(groups.values()), sweeps)
  runs: list[Config] = []
  places: dict[str, Place] = {}
  texts = ["-".join(_shared_parts(group)) for group in groups.values()]
  labels = file_names.distinct(texts)
  for text, group in zip(texts, groups.values(), strict=True):
    label = labels[text]
    places[label] = Place(group[0].arm, _values(group, sweeps))
    for run in seeding.seeded(group[0].config, asked):
      name = f"{label}-{run.name}"
      runs.append(dataclasses.replace(run, arm=label, name=name))
  for one, other in itertools.combinations(runs, 2):
    if one.name == other.name:
      raise UsageError(f"--sweep: two runs would both be called {one.name}")
  former = {labels[text]: file_names.former(text) for text in texts}
  former = {label: name for label, name in former.items() if label != name}
  return Crossed(runs, len(cells), sweeps, places, former)


def _check_paths(
  sweeps: Sequence[Sweep], arms: Sequence[str], common: Mapping[str, str]
) -> None:
  """Raises UsageError where an option, or an arm, can't be swept."""
  for sweep in sweeps:
    if sweep.arm and sweep.arm not in arms:
      raise registry.unknown(f"{sweep}: arm", sweep.arm, arms)
    for path in sweep.paths:
      if path in settings_lib.UNSWEPT:
        raise UsageError(
          f"--sweep={path}: can't be swept: it says which run it is, and not"
          " how it learns; --seeds gives each arm several seeds"
        )
      if path in common:
        raise UsageError(
          f"--{path}={common[path]}: --sweep={sweep.key} has values of its own;"
          " give one of the two"
        )


def _cells(
  arms: Sequence[Config], sweeps: Sequence[Sweep], common: Mapping[str, str]
) -> Iterator[_Cell]:
  paths = dict.fromkeys(path for sweep in sweeps for path in sweep.paths)
  labels = _labels(paths)
  shared = [
    name
    for name, value in arms[0].trunk.items()
    if all(name in a.trunk and a.trunk[name] == value for a in arms)
  ]
  for name, arm in zip(names_of(arms), arms, strict=True):
    own = of_arm(sweeps, name)
    if any(p in common or any(p in s.paths for s in own) for p in _TRUNKS):
      trunk = {k: v for k, v in arm.trunk.items() if k not in shared}
      arm = dataclasses.replace(arm, trunk=trunk)
    for values in itertools.product(*(sweep.values for sweep in own)):
      points = dict(zip(own, values, strict=True))
      swept = _by_path(points)
      parts = {path: _part(labels[path], v) for path, v in swept.items()}
      with _about_values(points):
        config = settings_lib.override(arm, {**common, **swept})
      yield _Cell(name, points, parts, config)


@contextlib.contextmanager
def _about_values(points: Mapping[Sweep, tuple[str, ...]]) -> Iterator[None]:
  """Names the sweep in the message on one of its values."""
  try:
    yield
  except UsageError as error:
    for sweep, texts in points.items():
      for path, text in zip(sweep.paths, texts, strict=True):
        if str(error).startswith(f"--{path}={text}:"):
          raise UsageError(f"--sweep={sweep.key}: {error}") from error
    raise


def _by_path(points: Mapping[Sweep, tuple[str, ...]]) -> dict[str, str]:
  """The values by path of a point of each sweep."""
  return {
    path: text
    for sweep, texts in points.items()
    for path, text in zip(sweep.paths, texts, strict=True)
  }


def _values(cells: Sequence[_Cell], sweeps: Sequence[Sweep]) -> dict[str, str]:
  """The values of the swept options in one arm, by path.

  An option that the arm does not sweep has its own value; one of which several
  values make the same run has none.
  """
  if not sweeps:
    return {}
  settings = config_lib.flat(cells[0].config)
  values = {}
  for path in dict.fromkeys(path for sweep in sweeps for path in sweep.paths):
    texts = {cell.values.get(path) for cell in cells}
    text = texts.pop() if len(texts) == 1 else ""
    if text is None and settings.get(path) not in (None, ""):
      text = show(settings[path])
    if text:
      values[path] = text
  return values


def _part(label: str, value: str) -> str:
  """A swept value in the name of an arm."""
  if label == "objective":
    return value  # which says what it is
  return phases.name_of(value) if label == "phases" else f"{label}={value}"


def _shared_parts(cells: Sequence[_Cell]) -> list[str]:
  """The parts that the names of equal cells have in common."""
  first = cells[0]
  arm = [first.arm] if len({cell.arm for cell in cells}) == 1 else []
  return arm + [
    part
    for path, part in first.parts.items()
    if all(cell.parts.get(path) == part for cell in cells)
  ]


def _check_arms(
  cells: Sequence[_Cell], arms: Sequence[Config], common: Mapping[str, str]
) -> None:
  """Raises UsageError if arms are the same, and not by what is swept."""
  names = list(dict.fromkeys(cell.arm for cell in cells))
  if len(names) == 1:
    return
  flat = [config_lib.flat(arm) for arm in arms]
  differ = [p for p in flat[0] if any(x.get(p) != flat[0][p] for x in flat)]
  paths = {path for cell in cells for path in cell.parts}
  # Another objective takes its own architecture and options with it.
  swept = [p for p in differ if p in paths or p.partition(".")[0] in paths]
  if swept or ("architecture" in differ and "objective" in paths):
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
      pairs = zip(one.parts.values(), other.parts.values(), strict=True)
      same = [f"{x} and {y}" for x, y in pairs if x != y]
      raise UsageError(f"--sweep: {', '.join(same)}: the same thing twice")


def _check_effect(
  groups: Sequence[Sequence[_Cell]], sweeps: Sequence[Sweep]
) -> None:
  """Raises UsageError if a sweep of several values changes nothing at all."""
  for sweep in sweeps:
    points = [{cell.points.get(sweep) for cell in cells} for cells in groups]
    kept = any(len(own) == 1 and own != {None} for own in points)
    if (
      len(sweep.values) > 1
      and not kept
      and any(own != {None} for own in points)
    ):
      raise UsageError(f"{sweep}: changes nothing in any arm")


def _labels(paths: Mapping[str, object]) -> dict[str, str]:
  """The last part of each path, or all of it where two end alike."""
  last = {path: path.rpartition(".")[2] for path in paths}
  ends = list(last.values())
  return {p: p if ends.count(end) > 1 else end for p, end in last.items()}
