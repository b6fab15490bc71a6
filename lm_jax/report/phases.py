"""Tells what each objective that trained a model measures of it."""

from __future__ import annotations

from lm_jax.report import metrics as metrics_lib
from lm_jax.report import tables
from lm_jax.report.arms import estimates_of
from lm_jax.report.blocks import Block, Table, Text
from lm_jax.report.compare import Analysis

_NOTE = (
  "One model in each arm, scored by each objective that trained it, with its"
  " own visibility; the last one's numbers are those of the tables above."
  " Likelihoods of different kinds do not compare."
)


def by_objective(analysis: Analysis) -> list[Block]:
  """Makes a table with a row per arm and objective; [] without phases."""
  experiment = analysis.experiment
  others = map(metrics_lib.split, experiment.measured)
  twice = {name for name, objective in others if objective}
  names = [n for n in metrics_lib.METRICS if n in twice and "/" not in n]
  rows = []
  for arm in experiment.arms:
    kinds = _kinds(analysis, arm)
    last = list(kinds)[-1:]
    for objective, kind in kinds.items():
      row = [arm, objective]
      for name in names:
        own = [objective] == last
        key = name if own else metrics_lib.by(name, objective)
        text = tables.interval(key, estimates_of(experiment, key).get(arm))
        if name == "bits_per_byte":
          text = f"{text} ({metrics_lib.LIKELIHOODS.get(kind, kind)})"
        row.append(text)
      rows.append(tuple(row))
  if not names or not rows:
    return []
  labels = []
  for name in names:
    metric = metrics_lib.get(name)
    labels.append(metric.label + (", %" if metric.unit == "%" else ""))
  return [Table(("arm", "by", *labels), tuple(rows), words=(0, 1)), Text(_NOTE)]


def _kinds(analysis: Analysis, arm: str) -> dict[str, str]:
  """The kinds of score of the objectives that trained an arm, the last last."""
  for run in analysis.experiment.runs_of(arm):
    kinds = run.raw.get("objectives")
    if isinstance(kinds, dict):
      return {str(name): str(kind) for name, kind in kinds.items()}
  return {}
