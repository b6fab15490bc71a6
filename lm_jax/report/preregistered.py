"""The plan that an experiment stated before its first run, and its seal.

experiment.json holds the plan under "preregistered", written once, and what
the experiment's file states now under "stated". The primary measure of runs is
sealed until all runs of a look are done: it is taken out of what was read, so
that no table, figure or function that reads an experiment has it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lm_jax.report import metrics as metrics_lib
from lm_jax.report.run import Run
from lm_jax.statistics.equivalence import Direction
from lm_jax.support.status import DIVERGED, DONE
from lm_jax.support.typed_json import as_kind, read_as

FILE = "experiment.json"
RECORD, STATED = "preregistered", "stated"
# Fields of an experiment's file, by their names in the record.
FIELDS = {
  "primary": "PRIMARY",
  "smallest_effect": "SMALLEST_EFFECT",
  "direction": "DIRECTION",
  "seeds": "SEEDS",
  "looks": "LOOKS",
  "baseline": "BASELINE",
}
_UNSIGNED = ("digest", "date")


@dataclasses.dataclass(frozen=True)
class Plan:
  """The plan of an experiment.

  primary: the measure that decides.
  smallest_effect: in its shown unit (points of a share); None: nothing can be
    shown to be equivalent.
  direction: of the claim, arm minus baseline.
  seeds: runs of each arm; or kinds of seeds, as text.
  looks: numbers of seeds at which it may stop; () for the end alone.
  baseline, arms: by name.
  budgets: of each arm, as --budget has it.
  runs_before: runs that were done before it was stated.
  digest: SHA-256 of all but itself and the date, as canonical JSON.
  date: when it was written.
  """

  primary: str
  smallest_effect: float | None
  direction: Direction
  seeds: int | str
  looks: tuple[int, ...]
  baseline: str
  arms: tuple[str, ...]
  budgets: dict[str, str]
  runs_before: int = 0
  digest: str = ""
  date: str = ""

  @property
  def margin(self) -> float | None:
    """The smallest effect on the measure's own scale."""
    if self.smallest_effect is None:
      return None
    return self.smallest_effect / metrics_lib.get(self.primary).scale

  @property
  def stops(self) -> tuple[int, ...]:
    """The seeds of each look; () where kinds of seeds are crossed."""
    if self.looks:
      return self.looks
    return (self.seeds,) if isinstance(self.seeds, int) else ()

  @property
  def count(self) -> int | None:
    """The runs of the whole plan; None where kinds of seeds are crossed."""
    if not isinstance(self.seeds, int):
      return None
    return self.seeds * len(self.arms)


def digest(record: Mapping[str, Any]) -> str:
  """Returns the SHA-256 of a record, without its digest and date."""
  signed = {k: v for k, v in record.items() if k not in _UNSIGNED}
  text = json.dumps(signed, sort_keys=True, separators=(",", ":"))
  return hashlib.sha256(text.encode()).hexdigest()


def from_record(about: Mapping[str, Any]) -> Plan | None:
  """Reads the plan of an experiment.json, if it has one.

  Raises:
    UsageError: it is no plan.
  """
  record = about.get(RECORD)
  if not record:
    return None
  return as_kind(record, Plan, RECORD)


def deviations(
  about: Mapping[str, Any], budgets: Mapping[str, Sequence[str]] | None = None
) -> list[str]:
  """Lists what an experiment did otherwise than it was preregistered.

  Args:
    about: the content of experiment.json.
    budgets: of the runs of each arm, where they are known.
  """
  plan = from_record(about)
  if plan is None:
    return []
  result = []
  if plan.digest != digest(about[RECORD]):
    result.append("the stored plan was changed: its digest is of another one")
  if plan.runs_before:
    were = "run was" if plan.runs_before == 1 else "runs were"
    result.append(f"{plan.runs_before} {were} done before it was stated")
  result += changed_fields(about)
  baseline = str(about.get("baseline") or plan.baseline)
  if baseline != plan.baseline:
    result.append(f"another baseline: {plan.baseline} -> {baseline}")
  runs = [run for run in about.get("runs") or () if isinstance(run, dict)]
  arms = list(dict.fromkeys(str(run.get("arm")) for run in runs))
  for verb, names in (
    ("added", [arm for arm in arms if arm not in plan.arms]),
    ("dropped", [arm for arm in plan.arms if arm not in arms]),
  ):
    if names:
      result.append(f"arms that were {verb}: {', '.join(names)}")
  seeds = len({run.get("seed") for run in runs})
  if isinstance(plan.seeds, int) and seeds > plan.seeds:
    result.append(f"more seeds: {plan.seeds} -> {seeds}")
  for arm, own in (budgets or {}).items():
    stated = plan.budgets.get(arm)
    others = [one for one in own if stated and not _same(one, stated)]
    if others:
      result.append(
        f"another budget of {arm}: {plan.budgets[arm]} -> {others[0]}"
      )
  return result


def _same(budget: str, other: str) -> bool:
  """Returns whether two budgets are one: flops:1e12, flops:1000000000000."""
  parts = [text.partition(":") for text in (budget, other)]
  with contextlib.suppress(ValueError):
    amounts = [float(amount) for *_, amount in parts]
    return parts[0][0] == parts[1][0] and amounts[0] == amounts[1]
  return budget == other


def changed_fields(about: Mapping[str, Any]) -> list[str]:
  """Lists the fields of the experiment's file that changed since."""
  record, stated = about.get(RECORD) or {}, about.get(STATED)
  if not record or stated is None:
    return []
  return [
    f"{field} changed: {_shown(record.get(name))} -> {_shown(stated.get(name))}"
    for name, field in FIELDS.items()
    if record.get(name) != stated.get(name)
  ]


def _shown(value: Any) -> str:
  if isinstance(value, list):
    return ", ".join(map(str, value)) or "none"
  return "none" if value is None else str(value)


@dataclasses.dataclass(frozen=True)
class Seal:
  """The runs of an experiment that show its primary measure.

  primary: the measure.
  visible: names of the runs that show it.
  looks: how many looks are complete.
  done, planned: runs of the coming look that have ended, and all of its runs.
  """

  primary: str
  visible: frozenset[str]
  looks: int
  done: int
  planned: int

  @property
  def whole(self) -> bool:
    """Returns whether the last look is complete."""
    return self.done == self.planned

  def text(self) -> str:
    return f"sealed: {self.done} of {self.planned} runs done"

  def hides(self, name: str) -> bool:
    """Returns whether a metric would tell of the primary measure."""
    return tells(self.primary, name)

  def shown(self, result: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the content of a result.json without what it hides."""
    told = ("likelihood", "constant")
    content = {k: v for k, v in result.items() if k not in told}
    for name in ("metrics", "items"):
      if isinstance(values := content.get(name), dict):
        content[name] = {k: v for k, v in values.items() if not self.hides(k)}
    return content


def tells(primary: str, name: str) -> bool:
  """Returns whether a metric tells of the primary one.

  Those of the same task do: a part, another objective's, a bound.
  """
  return _task(name) == _task(primary)


def _task(metric: str) -> str:
  name = metrics_lib.split(metric)[0].partition("/")[0]
  return metrics_lib.BITS if name == metrics_lib.BOUND else name


def experiment_of(path: str | os.PathLike[str]) -> tuple[Path, str] | None:
  """Returns the experiment's directory and the name of a run, by its path.

  Args:
    path: in the run's directory, or that; also by a link.
  """
  place = Path(path).expanduser()
  for way in (place.absolute(), place.resolve()):
    for folder in (way, *way.parents):
      root = folder.parent.parent
      if folder.parent.name == "runs" and (root / FILE).is_file():
        return root, folder.name
  return None


def of_run(path: str | os.PathLike[str]) -> Plan | None:
  """Reads the plan of the experiment that a run belongs to, if it has one.

  Raises:
    UsageError: it is no plan.
  """
  known = experiment_of(path)
  return from_record(read_as(known[0] / FILE, dict)) if known else None


def seal(plan: Plan, runs: Sequence[Run]) -> Seal:
  """Returns the seal of an experiment whose runs stand so.

  A look is complete once each arm of the plan has ended its first seeds; one
  that diverged has ended, one that failed has not. Runs of seeds beyond the
  plan show their measure when the plan is complete.
  """
  seeds = sorted({run.seed for run in runs})
  ended = {run.name for run in runs if run.status in (DONE, DIVERGED)}
  if not plan.stops:
    names = frozenset(run.name for run in runs)
    arms = {run.arm for run in runs}
    done = len(ended)
    missing = sum(arm not in arms for arm in plan.arms)
    whole = done == len(names) and not missing
    visible = names if whole else frozenset[str]()
    return Seal(plan.primary, visible, int(whole), done, len(names) + missing)
  visible, looks = frozenset(), 0
  for stop in plan.stops:
    first = set(seeds[:stop])
    own = [r for r in runs if r.seed in first and r.arm in plan.arms]
    done, planned = sum(r.name in ended for r in own), stop * len(plan.arms)
    if done < planned:
      return Seal(plan.primary, visible, looks, done, planned)
    visible = frozenset(run.name for run in runs if run.seed in first)
    looks += 1
  names = frozenset(run.name for run in runs)
  return Seal(plan.primary, names, looks, planned, planned)


def sealed(run: Run, by: Seal) -> Run:
  """Returns a run without what its seal hides."""
  if run.name in by.visible:
    return run

  def kept(values: Mapping[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in values.items() if not by.hides(k)}

  return dataclasses.replace(
    run,
    metrics=kept(run.metrics),
    items=kept(run.items),
    history=tuple(map(kept, run.history)),
    raw=by.shown(run.raw),
    branches=tuple(sealed(branch, by) for branch in run.branches),
  )
