"""Reads an experiment directory, whatever state its runs are in."""

from __future__ import annotations

import dataclasses
import functools
import os
from pathlib import Path
from typing import Any

import numpy as np

from lm_jax.report import metrics as metrics_lib
from lm_jax.report import subject as subject_lib
from lm_jax.support import errors, strict_json
from lm_jax.support.errors import UsageError, short
from lm_jax.support.status import DONE
from lm_jax.support.typed_json import as_kind, read_as
from lm_jax.types import SEED_KINDS

# No figure of a run is as large, and a plot could not show it.
_LARGEST = 1e100


@dataclasses.dataclass(frozen=True)
class Run:
  """One run, from its files; `status` says what is missing.

  status: that of `result.json`; without one "unfinished" (it logged steps) or
    "not started"; "unreadable" where the file is damaged.
  ledger: the currencies spent; of an unfinished run, as last logged.
  metrics: finite final values.  items: a score per item, [I].
  history: logged steps in order, an object each.
  settings: its configuration by the flags' paths; {} where it has no file.
  """

  name: str
  arm: str
  seed: int
  status: str
  seeds: dict[str, int] = dataclasses.field(default_factory=dict)
  error: str = ""
  traceback: str = ""
  scoring: str = ""
  parameters: int | None = None
  ledger: dict[str, float] = dataclasses.field(default_factory=dict)
  metrics: dict[str, float] = dataclasses.field(default_factory=dict)
  items: dict[str, np.ndarray] = dataclasses.field(default_factory=dict)
  history: tuple[dict[str, Any], ...] = ()
  raw: dict[str, Any] = dataclasses.field(default_factory=dict)
  settings: dict[str, Any] = dataclasses.field(default_factory=dict)

  @property
  def done(self) -> bool:
    return self.status == DONE

  @property
  def cell(self) -> tuple[int, ...]:
    """Its seeds of each kind; runs of two arms with the same are a pair."""
    return tuple(self.seeds.get(kind, self.seed) for kind in SEED_KINDS)

  def curve(self, currency: str, metric: str) -> tuple[np.ndarray, np.ndarray]:
    """(spend, value), both [points], where the metric was logged."""
    points = [
      (row[currency], row[metric])
      for row in self.history
      if _finite(row.get(currency)) and _finite(row.get(metric))
    ]
    points.sort(key=lambda point: point[0])
    xy = np.array(points, float).reshape(-1, 2)
    return xy[:, 0], xy[:, 1]


@dataclasses.dataclass(frozen=True)
class Experiment:
  """The content of an experiment directory; `notes` are for the reader."""

  directory: Path
  name: str
  baseline: str
  runs: tuple[Run, ...]
  about: dict[str, Any]
  notes: tuple[str, ...] = ()

  @functools.cached_property
  def subject(self) -> subject_lib.Subject:
    return subject_lib.from_record(self.name, self.about, self.settings)

  @property
  def settings(self) -> list[dict[str, Any]]:
    """The settings of each run."""
    return [run.settings for run in self.runs]

  @property
  def arms(self) -> tuple[str, ...]:
    """Every arm, the baseline first, then in the experiment's order."""
    names = dict.fromkeys((self.baseline, *(run.arm for run in self.runs)))
    return tuple(names)

  def runs_of(self, arm: str, done: bool = True) -> tuple[Run, ...]:
    """An arm's runs in the order of their seeds; only those that are done."""
    runs = [r for r in self.runs if r.arm == arm and (r.done or not done)]
    return tuple(sorted(runs, key=lambda run: run.cell))

  def with_metric(self, metric: str | None, arm: str) -> list[Run]:
    """Returns an arm's finished runs that have a metric, by seed."""
    return [run for run in self.runs_of(arm) if metric in run.metrics]

  @functools.cached_property
  def seed_kinds(self) -> tuple[str, ...]:
    """The kinds of seeds that are crossed or nested; () for counted seeds."""
    if all(run.cell == (run.seed,) * len(SEED_KINDS) for run in self.runs):
      return ()
    cells = {run.cell for run in self.runs}
    return tuple(
      kind
      for kind, values in zip(SEED_KINDS, zip(*cells, strict=True), strict=True)
      if len(set(values)) > 1
    )

  def independent(self) -> Experiment:
    """Returns it with the runs only that share no seed with another one.

    Crossed runs of an arm share seeds, so that their spread is not that of as
    many seeds. Of each arm the first runs count whose seeds, of each kind that
    varies, no run before has.
    """
    if len(self.seed_kinds) < 2:
      return self
    columns = [SEED_KINDS.index(kind) for kind in self.seed_kinds]
    kept: set[tuple[int, ...]] = set()
    used: list[set[int]] = [set() for _ in columns]
    for cell in sorted({run.cell for run in self.runs}):
      own = [cell[column] for column in columns]
      if not any(seed in seeds for seed, seeds in zip(own, used, strict=True)):
        kept.add(cell)
        for seed, seeds in zip(own, used, strict=True):
          seeds.add(seed)
    runs = tuple(run for run in self.runs if run.cell in kept)
    note = f"Of {len(self.runs)} runs the {len(runs)} that share no seed count."
    return dataclasses.replace(self, runs=runs, notes=(*self.notes, note))

  def count(self) -> int:
    """Returns how many runs are done."""
    return sum(run.done for run in self.runs)

  @functools.cached_property
  def measured(self) -> list[str]:
    """The metrics that some run has, those that reports know first."""
    names = {name for run in self.runs for name in run.metrics}
    known = [name for name in metrics_lib.METRICS if name in names]
    return known + sorted(names - set(known))


@dataclasses.dataclass(frozen=True)
class Planned:
  """A run that experiment.json names, whatever became of it.

  name: of its directory, below runs/.
  arm: printable, as it stands in figures, too.
  seeds: by kind, those that are not `seed`.

  Raises:
    UsageError: the name would lead out of the directory, the arm can't be
      shown, or the seed is none.
  """

  name: str
  arm: str
  seed: int
  seeds: dict[str, int] = dataclasses.field(default_factory=dict)

  def __post_init__(self):
    if not strict_json.is_file_name(self.name):
      raise UsageError(f"{short(self.name)}: is no name of a directory")
    if not self.arm.isprintable():
      raise UsageError(f"the arm {short(self.arm)}: can't be shown")
    if abs(self.seed) >= 2**63:
      raise UsageError(f"{short(self.seed)}: is no seed")


@dataclasses.dataclass(frozen=True)
class _Result:
  """The fields of result.json that a report reads."""

  status: str
  error: str | None = None
  traceback: str | None = None
  scoring: str | None = None
  parameters: Any = None
  ledger: dict[str, Any] | None = None
  metrics: dict[str, Any] | None = None
  items: dict[str, Any] | None = None


def _finite(value: Any) -> bool:
  return (
    isinstance(value, (int, float))
    and not isinstance(value, bool)
    and abs(value) < _LARGEST  # and no NaN
  )


def _count(value: Any) -> int | None:
  return value if type(value) is int and _finite(value) else None


def _history(path: Path, notes: list[str]) -> tuple[dict[str, Any], ...]:
  """Logged steps; a step that a resumed run logged again counts once."""
  if not path.exists():
    return ()
  steps: dict[int, dict[str, Any]] = {}
  lines = path.read_text("utf-8", errors="replace").splitlines()
  for number, line in enumerate(lines, 1):
    try:
      row = strict_json.parse(line, path, finite=False)
      if type(row["step"]) is not int:
        raise TypeError("the step is no whole number")
      steps.setdefault(row["step"], {}).update(row)
    except (ValueError, TypeError, KeyError):
      # A kill cuts the last line short; the report must not end for it.
      name = f"{path.parent.name}/{path.name}"
      notes.append(f"{name}: line {number} is unreadable and was left out.")
  return tuple(steps[step] for step in sorted(steps))


def _items(raw: dict[str, Any]) -> dict[str, np.ndarray]:
  return {
    name: np.array(scores, float)
    for name, scores in raw.items()
    if isinstance(scores, list) and scores and all(map(_finite, scores))
  }


def _settings(path: Path, notes: list[str]) -> dict[str, Any]:
  """Reads a config.json by the flags' paths: "objective.rate"."""
  if not path.exists():
    return {}
  try:
    tree = read_as(path, dict, path.name)
  except UsageError as error:
    notes.append(f"{path.parent.name}/{path.name}: left out: {error}")
    return {}
  settings: dict[str, Any] = {}
  for name, value in tree.items():
    group = "objective" if name == "objective_options" else name
    if isinstance(value, dict):
      settings |= {f"{group}.{key}": leaf for key, leaf in value.items()}
    else:
      settings[name] = value
  return settings


def _run(folder: Path, planned: Planned, notes: list[str]) -> Run:
  history = _history(folder / "metrics.jsonl", notes)
  known: dict[str, Any] = dataclasses.asdict(planned)
  known["settings"] = _settings(folder / "config.json", notes)
  last = history[-1] if history else {}
  ledger = {k: last[k] for k in metrics_lib.LEDGER if _finite(last.get(k))}
  if history:
    ledger["steps"] = last["step"]
  known |= {"ledger": ledger, "history": history}
  path = folder / "result.json"
  if not path.exists():
    return Run(**known, status="unfinished" if history else "not started")
  try:
    raw = strict_json.read(path, path.name, finite=False)
    result = as_kind(raw, _Result, path.name)
  except UsageError as error:
    return Run(**known, status="unreadable", error=str(error))
  metrics = result.metrics or {}
  for name, value in metrics.items():
    if not _finite(value):
      notes.append(f"{planned.name}: {name} is {value} and was left out.")
  spent = result.ledger or {}
  known["ledger"] |= {k: v for k, v in spent.items() if _finite(v)}
  return Run(
    **known,
    status=result.status,
    error=result.error or "",
    traceback=result.traceback or "",
    scoring=result.scoring or "",
    parameters=_count(result.parameters),
    metrics={k: float(v) for k, v in metrics.items() if _finite(v)},
    items=_items(result.items or {}),
    raw=raw,
  )


def read(path: Path) -> tuple[dict[str, Any], list[Planned]]:
  """Reads an experiment.json: all of it, and the runs that it names."""
  about = read_as(path, dict)
  with errors.about(path):
    return about, as_kind(about.get("runs"), list[Planned], "runs")


def load(directory: str | os.PathLike[str]) -> Experiment:
  """Reads `experiment.json` and every run that it names.

  Raises UsageError if there is no readable `experiment.json`, it names a run
  twice, or its baseline is no arm of it. Runs may be absent, partial, failed
  or damaged: their status says so.
  """
  import difflib

  root = Path(directory)
  path = root / "experiment.json"
  try:
    path.stat()
  except OSError as error:
    raise UsageError(
      f"--workdir={root}: {path.name}: {error.strerror}; a report needs a "
      "directory that `compare` has written"
    ) from error
  about, planned = read(path)
  cells = [(run.arm, run.seed, *sorted(run.seeds.items())) for run in planned]
  twice = next((cell for cell in cells if cells.count(cell) > 1), None)
  if not planned or twice:
    what = (
      "two runs of arm {}, seed {}".format(*twice[:2]) if twice else "no runs"
    )
    raise UsageError(f"{path}: {what}; each arm has one run a seed")
  arms = list(dict.fromkeys(run.arm for run in planned))
  baseline = str(about.get("baseline") or arms[0])
  if baseline not in arms:
    near = difflib.get_close_matches(baseline, arms, 3) or arms
    raise UsageError(
      f"{path}: baseline {baseline!r} is no arm; valid: {', '.join(near)}"
    )
  notes: list[str] = []
  runs = tuple(_run(root / "runs" / run.name, run, notes) for run in planned)
  name = str(about.get("name") or root.name)
  return Experiment(root, name, baseline, runs, about, tuple(notes))


def single(directory: str | os.PathLike[str]) -> Experiment:
  """Loads a single run as an experiment of one arm.

  Raises UsageError if its result.json is no such file.
  """
  root = Path(directory)
  path = root / "result.json"
  raw = as_kind(strict_json.read(path, finite=False), dict, path)
  name = root.name if strict_json.is_file_name(root.name) else "run"
  fields = {"seed": 0} | raw | {"name": name, "arm": raw.get("arm") or "run"}
  notes: list[str] = []
  with errors.about(path):
    planned = as_kind(fields, Planned, "the run")
  run = _run(root, planned, notes)
  return Experiment(root, run.name, run.arm, (run,), {}, tuple(notes))
