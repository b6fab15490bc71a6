"""Stores what an experiment states before its first run, and never again.

The reading side, with the seal of the primary measure, is
lm_jax/report/preregistered.py.
"""

from __future__ import annotations

import datetime
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from lm_jax.config import Config
from lm_jax.report import preregistered
from lm_jax.report.preregistered import FIELDS, RECORD, STATED
from lm_jax.runs import record
from lm_jax.runs.attempt import is_complete
from lm_jax.statistics.differences import MIN_SEEDS
from lm_jax.support.errors import UsageError

__all__ = ["deviations", "fields", "preregister", "require_unchanged"]

deviations = preregistered.deviations


def fields(
  module: Any, where: str = "--experiment", baseline: str = ""
) -> dict[str, Any]:
  """Reads the fields of an experiment's file; {} without PRIMARY.

  Args:
    module: of the file; each field was checked by itself when it was loaded.
    where: names the experiment in messages.

  Raises:
    UsageError: fields that do not go together.
  """
  values = {
    name: getattr(module, field, None) for name, field in FIELDS.items()
  }
  if values["primary"] is None:
    others = [
      FIELDS[name]
      for name in ("smallest_effect", "direction", "looks")
      if values[name] is not None
    ]
    if others:
      raise UsageError(
        f"{where}: {others[0]}: is for a preregistered measure, and the file"
        " has no PRIMARY"
      )
    return {}
  looks, seeds = list(values["looks"] or ()), values["seeds"]
  if isinstance(seeds, int) and seeds < MIN_SEEDS:
    raise UsageError(
      f"{where}: SEEDS={seeds}: with PRIMARY it must be at least {MIN_SEEDS};"
      " fewer seeds show nothing"
    )
  if looks and looks[-1] != seeds:
    raise UsageError(
      f"{where}: LOOKS={tuple(looks)}: must end with SEEDS, {seeds}"
    )
  return values | {
    "direction": values["direction"] or "two-sided",
    "looks": looks,
    "baseline": baseline or values["baseline"],
  }


def preregister(
  directory: str,
  module: Any,
  configs: Sequence[Config],
  where: str = "",
  baseline: str = "",
  exploratory: bool = False,
) -> dict[str, Any]:
  """Returns the members of experiment.json that hold the plan; {} without one.

  To be written before the first run. A plan that is stored stays as it is;
  what the file states now is kept beside it, so that a change shows.

  Args:
    directory: of the experiment.
    module: of its file.
    configs: all of its runs, placed in the directory.
    where, baseline: as for `fields`.
    exploratory: whether to store no plan, where none is.

  Raises:
    UsageError: fields that do not go together.
  """
  about, _ = record.read(directory)
  name = where or f"--experiment={about.get('name', '')}"
  stated = fields(module, name, baseline)
  known = about.get(RECORD)
  if known:
    return {RECORD: known, STATED: stated}
  if not stated or exploratory:
    return {}
  budgets = {config.arm: config.budget for config in configs}
  plan = stated | {
    "arms": list(dict.fromkeys(config.arm for config in configs)),
    "budgets": budgets,
    "runs_before": _complete(directory, configs),
  }
  now = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
  plan |= {"digest": preregistered.digest(plan), "date": now.isoformat()}
  return {RECORD: plan, STATED: stated}


def _complete(directory: str, configs: Sequence[Config]) -> int:
  """Counts the runs that have ended: of these, and others in the directory."""
  own = sum(map(is_complete, configs))
  names = {config.name for config in configs}
  paths = pathlib.Path(directory, "runs").glob("*/result.json")
  return own + sum(path.parent.name not in names for path in paths)


def require_unchanged(
  plan: Mapping[str, Any], directory: str, exploratory: bool = False
) -> list[str]:
  """Returns a line for each field that changed since it was preregistered.

  Args:
    plan: of `preregister`.
    directory: of the experiment.
    exploratory: whether it may go on with such a change.

  Raises:
    UsageError: a field changed, and it may not.
  """
  lines = [
    f"{change} (preregistered on {plan[RECORD]['date'][:10]}); with that the"
    " result is exploratory"
    for change in preregistered.changed_fields(plan)
  ]
  if lines and not exploratory:
    raise UsageError(
      f"--workdir={directory}: {lines[0]}; set it back, name another directory,"
      " or go on with --exploratory"
    )
  return lines
