"""Reads an experiment directory, whatever state its runs are in."""

from __future__ import annotations

import dataclasses
import functools
import os
from pathlib import Path
from typing import Any

from lm_jax.report import metrics as metrics_lib
from lm_jax.report import preregistered
from lm_jax.report import subject as subject_lib
from lm_jax.report.preregistered import Plan, Seal
from lm_jax.report.run import Planned, Run, read_run
from lm_jax.support import errors, strict_json
from lm_jax.support.errors import UsageError
from lm_jax.support.typed_json import as_kind, read_as
from lm_jax.types import SEED_KINDS


@dataclasses.dataclass(frozen=True)
class Experiment:
  """The content of an experiment directory; `notes` are for the reader.

  plan: that was preregistered, if one was.
  seal: what its runs show of the primary measure of the plan.
  """

  directory: Path
  name: str
  baseline: str
  runs: tuple[Run, ...]
  about: dict[str, Any]
  notes: tuple[str, ...] = ()
  plan: Plan | None = None
  seal: Seal | None = None

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

  def first_seeds(self, count: int) -> Experiment:
    """Returns it with the runs of its first seeds only."""
    seeds = sorted({run.seed for run in self.runs})[:count]
    runs = tuple(run for run in self.runs if run.seed in seeds)
    return dataclasses.replace(self, runs=runs)

  def at_look(self) -> Experiment:
    """Returns it with the runs of its last look that is complete.

    Later ones hide the primary measure, and would leave an arm without it.
    Before the first look all runs stay, without the measure.
    """
    if self.seal is None or self.seal.whole or not self.seal.looks:
      return self
    runs = tuple(run for run in self.runs if run.name in self.seal.visible)
    return dataclasses.replace(self, runs=runs)

  def deviations(self) -> list[str]:
    """Lists what it did otherwise than it was preregistered."""
    budgets: dict[str, list[str]] = {}
    for run in self.runs:
      if "budget" in run.settings:
        budgets.setdefault(run.arm, []).append(str(run.settings["budget"]))
    return preregistered.deviations(self.about, budgets)

  def count(self) -> int:
    """Returns how many runs are done."""
    return sum(run.done for run in self.runs)

  @functools.cached_property
  def measured(self) -> list[str]:
    """The metrics that some run has, those that reports know first."""
    names = {name for run in self.runs for name in run.metrics}
    known = [name for name in metrics_lib.METRICS if name in names]
    return known + sorted(names - set(known))


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
  runs = tuple(
    read_run(root / "runs" / run.name, run, notes) for run in planned
  )
  name = str(about.get("name") or root.name)
  with errors.about(path):
    plan = preregistered.from_record(about)
  seal = None
  if plan is not None:
    seal = preregistered.seal(plan, runs)
    runs = tuple(preregistered.sealed(run, seal) for run in runs)
  return Experiment(root, name, baseline, runs, about, tuple(notes), plan, seal)


def seal_of(path: str | os.PathLike[str]) -> Seal | None:
  """Returns the seal of a run, by a path in its directory; None if it has none.

  Raises:
    UsageError: the experiment that the run belongs to can't be read.
  """
  known = preregistered.experiment_of(path)
  if known is None:
    return None
  seal = load(known[0]).seal
  return seal if seal is not None and known[1] not in seal.visible else None


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
  run = read_run(root, planned, notes)
  seal = seal_of(root)
  if seal is not None:
    run = preregistered.sealed(run, seal)
    notes.append(f"{seal.primary} is {seal.text()}.")
  return Experiment(root, run.name, run.arm, (run,), {}, tuple(notes))
