"""Reads one run of an experiment, whatever state it is in."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np

from lm_jax.report import metrics as metrics_lib
from lm_jax.support import strict_json
from lm_jax.support.errors import UsageError, short
from lm_jax.support.status import DONE
from lm_jax.support.typed_json import as_kind, read_as
from lm_jax.types import SEED_KINDS

# The folder of a run that holds its branches.
BRANCHES = "branches"

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
  branches: decayed models of smaller spends (`--branches`).
  folder: its directory.
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
  branches: tuple[Run, ...] = ()
  folder: Path = Path()

  @property
  def decayed(self) -> tuple[Run, ...]:
    """Its models whose schedule is complete: branches, and its end."""
    return tuple(run for run in (*self.branches, self) if run.done)

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


def read_run(folder: Path, planned: Planned, notes: list[str]) -> Run:
  """Reads a run's directory; adds to `notes` what it had to leave out."""
  run = _read(folder, planned, notes)
  paths = sorted((folder / BRANCHES).glob("*/result.json"))
  branches = tuple(_read(path.parent, planned, notes) for path in paths)
  return dataclasses.replace(run, branches=branches)


def _read(folder: Path, planned: Planned, notes: list[str]) -> Run:
  history = _history(folder / "metrics.jsonl", notes)
  known: dict[str, Any] = dataclasses.asdict(planned) | {"folder": folder}
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
