"""Tells what each objective that trained a model measures of it."""

from __future__ import annotations

from lm_jax.report import likelihood, tables
from lm_jax.report import metrics as metrics_lib
from lm_jax.report.arms import estimates_of
from lm_jax.report.blocks import Block, Table, Text
from lm_jax.report.compare import Analysis

_BITS = (metrics_lib.BITS, metrics_lib.BOUND)
_NOTE = (
  "One model in each arm, scored by each objective that trained it, with its"
  " own visibility; the last one's numbers are those of the tables above."
  " Scores of different kinds do not compare."
)


def by_objective(analysis: Analysis) -> list[Block]:
  """Makes a table with a row per arm and objective; [] without phases."""
  experiment = analysis.experiment
  others = map(metrics_lib.split, experiment.measured)
  twice = {name for name, objective in others if objective}
  known = [n for n in metrics_lib.METRICS if n in twice and "/" not in n]
  names = [n for n in known if n not in _BITS]
  rows = []
  for arm in experiment.arms:
    kinds = _kinds(analysis, arm)
    for place, (objective, kind) in enumerate(kinds.items(), 1):
      by = "" if place == len(kinds) else objective
      row = [arm, objective, kind.replace("_", " ")]
      row += [_text(analysis, arm, name, by) for name in names]
      bits = [_text(analysis, arm, name, by) for name in _BITS]
      shown = zip(_signs(analysis, arm), bits, strict=True)
      row.append(next((f"{sign} {x}" for sign, x in shown if x != "–"), "–"))
      rows.append(tuple(row))
  if not rows:
    return []
  labels = []
  for name in names:
    metric = metrics_lib.get(name)
    labels.append(metric.label + (", %" if metric.unit == "%" else ""))
  head = ("arm", "by", "score", *labels, "bits per byte")
  return [Table(head, tuple(rows), words=(0, 1, 2)), Text(_NOTE)]


def _text(analysis: Analysis, arm: str, name: str, by: str) -> str:
  """A metric of an arm as an objective measures it; "": the run's own."""
  key = metrics_lib.by(name, by) if by else name
  estimates = estimates_of(analysis.experiment, key)
  return tables.interval(key, estimates.get(arm))


def _signs(analysis: Analysis, arm: str) -> tuple[str, str]:
  """The signs of _BITS in one column: with unknown tokens none is exact."""
  measured = likelihood.of_arms(analysis.experiment).get(arm)
  return ("≤" if measured and measured.unknown else "="), "≤"


def _kinds(analysis: Analysis, arm: str) -> dict[str, str]:
  """The kinds of score of the objectives that trained an arm, the last last."""
  for run in analysis.experiment.runs_of(arm):
    kinds = run.raw.get("objectives")
    if isinstance(kinds, dict):
      return {str(name): str(kind) for name, kind in kinds.items()}
  return {}
