"""Reads an experiment directory, whatever state its runs are in."""

from __future__ import annotations

import dataclasses
import functools
import os
from pathlib import Path
from typing import Any

import numpy as np

from lm_jax.report import metrics as metrics_lib
from lm_jax.report import sheet
from lm_jax.report import subject as subject_lib
from lm_jax.support import strict_json
from lm_jax.support.errors import UsageError, short
from lm_jax.support.status import DONE as DONE

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
    settings = [run.settings for run in self.runs]
    return subject_lib.from_record(self.name, self.about, settings)

  @property
  def arms(self) -> tuple[str, ...]:
    """Every arm, the baseline first, then in the experiment's order."""
    names = dict.fromkeys((self.baseline, *(run.arm for run in self.runs)))
    return tuple(names)

  def runs_of(self, arm: str, done: bool = True) -> tuple[Run, ...]:
    """An arm's runs in the order of their seeds; only those that are done."""
    runs = [r for r in self.runs if r.arm == arm and (r.done or not done)]
    return tuple(sorted(runs, key=lambda run: run.seed))

  def count(self, status: str = DONE) -> int:
    return sum(run.status == status for run in self.runs)


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


def _object(path: Path) -> dict[str, Any]:
  """A JSON object; ValueError says what is wrong with the file."""
  value = strict_json.read(path, path.name, finite=False)
  if not isinstance(value, dict):
    raise ValueError(f"holds {type(value).__name__}, not an object")
  return value


def _items(raw: dict[str, Any]) -> dict[str, np.ndarray]:
  items = {
    k: np.array(v, float)
    for k, v in raw.items()
    if isinstance(v, list) and all(map(_finite, v))
  }
  return {
    name: scores_I
    for name, scores_I in items.items()
    if scores_I.ndim == 1 and len(scores_I) and np.isfinite(scores_I).all()
  }


def _file_name(name: Any) -> str:
  """Checks a run's name, which must not lead out of the directory."""
  if not isinstance(name, str) or not strict_json.is_file_name(name):
    raise ValueError(f"the run {short(name)} has no name of a directory")
  return name


def _arm(arm: Any) -> str:
  """Checks an arm's name, which stands in figures too."""
  if not isinstance(arm, str) or not arm.isprintable():
    raise ValueError(f"the arm {short(arm)} has no name that can be shown")
  return arm


def _seed(run: dict[str, Any]) -> int:
  if type(run["seed"]) is not int or abs(run["seed"]) >= 2**63:
    raise ValueError(f"the seed {short(run['seed'])} is no seed")
  return run["seed"]


def _settings(path: Path, notes: list[str]) -> dict[str, Any]:
  """Reads a config.json by the flags' paths: "objective.rate"."""
  if not path.exists():
    return {}
  try:
    tree = _object(path)
  except ValueError as error:
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


def _run(folder: Path, entry: dict[str, Any], notes: list[str]) -> Run:
  history = _history(folder / "metrics.jsonl", notes)
  named = {"name": entry["name"], "arm": entry["arm"], "seed": entry["seed"]}
  named["settings"] = _settings(folder / "config.json", notes)
  last = history[-1] if history else {}
  ledger = {k: last[k] for k in metrics_lib.CURRENCIES if _finite(last.get(k))}
  if history:
    ledger["steps"] = last["step"]
  path = folder / "result.json"
  if not path.exists():
    status = "unfinished" if history else "not started"
    return Run(**named, status=status, ledger=ledger, history=history)
  try:
    raw = _object(path)
    for name, value in (raw.get("metrics") or {}).items():
      if not _finite(value):
        notes.append(f"{entry['name']}: {name} is {value} and was left out.")
    return Run(
      **named,
      status=str(raw["status"]),
      error=str(raw.get("error") or ""),
      traceback=str(raw.get("traceback") or ""),
      scoring=str(raw.get("scoring") or ""),
      parameters=_count(raw.get("parameters")),
      ledger=ledger
      | {k: v for k, v in (raw.get("ledger") or {}).items() if _finite(v)},
      metrics={
        k: float(v) for k, v in (raw.get("metrics") or {}).items() if _finite(v)
      },
      items=_items(raw.get("items") or {}),
      history=history,
      raw=raw,
    )
  except (ValueError, TypeError, KeyError, AttributeError) as error:
    text = str(error)
    if not isinstance(error, UsageError):
      text = f"result.json: {type(error).__name__}: {error}"
    return Run(
      **named, status="unreadable", error=text, ledger=ledger, history=history
    )


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
    about = _object(path)
    planned: list[dict[str, Any]] = [
      {"name": _file_name(r["name"]), "arm": _arm(r["arm"]), "seed": _seed(r)}
      for r in about["runs"]
    ]
  except OSError as error:
    raise UsageError(
      f"--workdir={root}: {path.name}: {error.strerror}; a report needs a "
      "directory that `compare` has written"
    ) from error
  except (ValueError, TypeError, KeyError) as error:
    raise UsageError(
      f"{path}: {type(error).__name__}: {error}; it must be an object with "
      '"runs", a list of {"name", "arm", "seed"}'
    ) from error
  cells = [(entry["arm"], entry["seed"]) for entry in planned]
  twice = next((cell for cell in cells if cells.count(cell) > 1), None)
  if not planned or twice:
    what = "two runs of arm {}, seed {}".format(*twice) if twice else "no runs"
    raise UsageError(f"{path}: {what}; each arm has one run a seed")
  arms = list(dict.fromkeys(entry["arm"] for entry in planned))
  baseline = str(about.get("baseline") or arms[0])
  if baseline not in arms:
    near = difflib.get_close_matches(baseline, arms, 3) or arms
    raise UsageError(
      f"{path}: baseline {baseline!r} is no arm; valid: {', '.join(near)}"
    )
  notes: list[str] = []
  runs = tuple(
    _run(root / "runs" / entry["name"], entry, notes) for entry in planned
  )
  name = str(about.get("name") or root.name)
  return Experiment(root, name, baseline, runs, about, tuple(notes))


def single(directory: str | os.PathLike[str]) -> Experiment:
  """Loads a single run as an experiment of one arm.

  Raises UsageError if its result.json is no such file.
  """
  root = Path(directory)
  notes: list[str] = []
  try:
    raw = _object(root / "result.json")
    entry = {
      "name": root.name or "run",
      "arm": _arm(raw.get("arm") or "run"),
      "seed": _seed({"seed": 0} | raw),
    }
  except ValueError as error:
    raise UsageError(f"{root / 'result.json'}: {error}") from error
  run = _run(root, entry, notes)
  return Experiment(root, run.name, run.arm, (run,), {}, tuple(notes))


# Settings with columns of their own in `results.csv`, whatever is compared.
COLUMNS = {
  "size": "size",
  "trunk.preset": "preset",
  "length": "length",
  "batch_size": "batch_size",
  "budget": "budget",
  "optimizer.learning_rate": "learning_rate",
  "data.corpus": "corpus",
  "data.tokenizer": "tokenizer",
  "data.vocabulary_size": "vocabulary_size",
  "data.packing": "packing",
}


def table_csv(experiment: Experiment) -> str:
  """`results.csv`: a row per run; settings, currencies, metrics, code.

  What the runs differ in has a column of its flag's name.
  """
  measured = {name for run in experiment.runs for name in run.metrics}
  names = [n for n in metrics_lib.METRICS if n in measured]
  names += sorted(measured - set(names))
  differ = subject_lib.varied([run.settings for run in experiment.runs])
  own = ("objective", "architecture", *COLUMNS)
  swept = [path for path in differ if path not in own]
  head = ["name", "arm", "seed", "status", "objective", "architecture"]
  head += [*COLUMNS.values(), *swept, "scoring", "parameters"]
  head += [*metrics_lib.LEDGER, *names]
  rows = []
  for run in experiment.runs:
    row = [run.name, run.arm, run.seed, run.status]
    for path in ("objective", "architecture"):
      row.append(run.raw.get(path) or run.settings.get(path))
    row += [run.settings.get(path) for path in (*COLUMNS, *swept)]
    row += [run.scoring, run.parameters]
    row += [run.ledger.get(currency) for currency in metrics_lib.LEDGER]
    row += [run.metrics.get(name) for name in names]
    row += [run.raw.get("digest"), run.raw.get("commit"), run.error]
    rows.append(row)
  return sheet.text([*head, "digest", "commit", "error"], rows)
