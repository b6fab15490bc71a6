"""An experiment as records, a dict each, of its runs or arms, and as CSV.

Column names are those of flags, currencies and metrics; METRIC_low and
METRIC_high are the ends of a 95 % interval.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Sequence
from typing import Any

from lm_jax.report import likelihood, sheet, subject, sweeps
from lm_jax.report import metrics as metrics_lib
from lm_jax.report.collect import Experiment
from lm_jax.report.compare import Analysis
from lm_jax.report.run import Run
from lm_jax.statistics import items as items_lib
from lm_jax.statistics.estimates import Estimate
from lm_jax.types import SEED_KINDS

Record = dict[str, Any]

# Settings with columns of their own, whatever is compared.
COLUMNS = {
  "objective": "objective",
  "architecture": "architecture",
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


def _settings(experiment: Experiment) -> dict[str, str]:
  """The columns of settings, by path; what runs differ in has its flag's."""
  swept, _ = sweeps.recorded(experiment)
  differ = [path for one in swept for path in one.options]
  differ += subject.varied(experiment.settings)
  seeds = [f"seed.{kind}" for kind in experiment.seed_kinds]
  return COLUMNS | {p: p for p in (*differ, *seeds) if p not in COLUMNS}


def _setting(experiment: Experiment, run: Run, path: str) -> Any:
  """A run's setting; what was planned for one that has not begun."""
  if path.startswith("seed."):
    return run.cell[SEED_KINDS.index(path.removeprefix("seed."))]
  if run.settings:
    return run.settings.get(path)
  _, places = sweeps.recorded(experiment)
  text = places[run.arm].values.get(path) if run.arm in places else None
  return text if text is None else _number(text)


def _number(text: str) -> int | float | str:
  """The number that a text is, or the text."""
  for kind in (int, float):
    try:
      return kind(text)
    except ValueError:
      continue
  return text


def table_csv(experiment: Experiment) -> str:
  """`results.csv`: a row per run; settings, currencies, metrics, code."""
  head = ["name", "arm", "seed", "status", *_settings(experiment).values()]
  head += ["scoring", "parameters", *metrics_lib.LEDGER, *experiment.measured]
  head += [*likelihood.COLUMNS, "digest", "commit", "error"]
  return _text(head, from_runs(experiment))


def arms_csv(analysis: Analysis) -> str:
  """`arms.csv`: a row per arm; settings, currencies, means and intervals."""
  records = from_arms(analysis)
  return _text(dict.fromkeys(name for r in records for name in r), records)


def _text(head: Iterable[str], records: Sequence[Record]) -> str:
  names = list(head)
  rows = ([record.get(name) for name in names] for record in records)
  return sheet.text(names, rows)


def from_runs(experiment: Experiment) -> list[Record]:
  """A record for each run, as results.csv has it, and intervals.

  Intervals are over items, of metrics whose items were kept: they hold for
  that checkpoint only.
  """
  columns = _settings(experiment)
  records = []
  for run in experiment.runs:
    record: Record = {"name": run.name, "arm": run.arm, "seed": run.seed}
    record["status"] = run.status
    record |= {
      name: _setting(experiment, run, path) for path, name in columns.items()
    }
    for name in ("objective", "architecture"):
      record[name] = run.raw.get(name) or record[name]
    record |= {"parameters": run.parameters, "scoring": run.scoring}
    record |= {c: run.ledger.get(c) for c in metrics_lib.LEDGER}
    for name in experiment.measured:
      estimate = None
      if name in run.metrics:
        estimate = Estimate(run.metrics[name])
        if name in run.items:
          estimate = items_lib.item_interval(run.items[name])
          estimate = dataclasses.replace(estimate, value=run.metrics[name])
      kept = any(name in other.items for other in experiment.runs)
      record |= _ends(name, estimate, kept)
    record |= likelihood.columns(run)
    record |= {n: run.raw.get(n) for n in ("digest", "commit")}
    record["error"] = run.error
    records.append(record)
  return records


def from_arms(analysis: Analysis) -> list[Record]:
  """A record for each arm: means over seeds, as the report has them.

  What is said of the difference to the baseline, in the tested metric, is
  under names that begin with "difference".
  """
  experiment = analysis.experiment
  columns = _settings(experiment)
  differences = {d.arm: d for d in analysis.differences}
  records = []
  for arm in analysis.arms:
    runs = experiment.runs_of(arm.name, done=False)
    record: Record = {"arm": arm.name, "seeds": arm.done}
    for path, name in columns.items():
      values = [_setting(experiment, run, path) for run in runs]
      record[name] = _same(values)
    for name in ("objective", "architecture"):
      record[name] = _same([run.raw.get(name) for run in runs]) or record[name]
    record |= {"parameters": arm.parameters, "scoring": arm.scoring}
    record |= {c: arm.ledger.get(c) for c in metrics_lib.LEDGER}
    for name in experiment.measured:
      estimate = arm.metrics.get(name)
      if name == analysis.metric and arm.total is not None:
        estimate = arm.total
      record |= _ends(name, estimate)
    record |= _difference(differences.get(arm.name), analysis)
    record["commit"] = _same([run.raw.get("commit") for run in runs])
    records.append(record)
  return records


def _same(values: Sequence[Any]) -> Any:
  """Returns the value that all have; None where they differ.

  A run that has not begun tells none.
  """
  known = [value for value in values if value is not None]
  return known[0] if len(set(map(json.dumps, known))) == 1 else None


def _ends(name: str, estimate: Estimate | None, interval: bool = True):
  ends: Record = {name: estimate and estimate.value}
  if interval:
    ends |= {f"{name}_low": estimate and estimate.low}
    ends |= {f"{name}_high": estimate and estimate.high}
  return ends


def _difference(difference: Any, analysis: Analysis) -> Record:
  """The fields of a Difference; None of the baseline, which has none."""
  if not analysis.differences:
    return {}
  record: Record = {}
  for field in dataclasses.fields(analysis.differences[0]):
    if field.name == "arm":
      continue
    name = f"difference_{field.name}"
    values = [getattr(d, field.name) for d in analysis.differences]
    value = difference and getattr(difference, field.name)
    if any(isinstance(v, Estimate) for v in values):
      record |= _ends(name, value)
    else:
      record[name] = value
  return record
