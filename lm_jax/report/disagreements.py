"""The items on which arms differ most, with their texts."""

from __future__ import annotations

import itertools
from typing import Any, NamedTuple

import numpy as np

from lm_jax.report import metrics as metrics_lib
from lm_jax.report.arms import item_grid
from lm_jax.report.blocks import Block, Case, Cases, Part, Text
from lm_jax.report.compare import Analysis, items_of
from lm_jax.report.markup import MOST_GROUPS
from lm_jax.report.run import Run
from lm_jax.support import strict_json
from lm_jax.support.errors import UsageError

FILE = "predictions.jsonl"  # of a run, an object for each item
_EACH = 3  # items for either side of a pair of arms
_LONGEST = 2**24  # bytes of a file that are read
_LONGEST_TEXT = 600
# What is of the model, or is told otherwise.
_KNOWN = frozenset({"task", "id", "score", "scores", "answer", "predicted"})


class _Side(NamedTuple):
  """An arm's scores of all items: means over its seeds, and the runs' own."""

  name: str
  mean_I: np.ndarray
  runs_NxI: np.ndarray


def blocks(analysis: Analysis) -> list[Block]:
  """Shows for each pair of arms the items that one of them gets right.

  Nothing where no run has kept the texts of the tested metric's items. Of many
  arms the pairs with the baseline are shown, and of these the first ones.
  """
  experiment, metric = analysis.experiment, analysis.metric
  length = items_of(experiment, metric)
  records = _records(analysis)
  sides = []
  for arm in experiment.arms if metric and records else ():
    runs = experiment.with_metric(metric, arm)
    runs_NxI = item_grid(runs, metric, length)
    if runs_NxI is not None:
      sides.append(_Side(arm, runs_NxI.mean(0), runs_NxI))
  pairs = list(itertools.combinations(sides, 2))
  if len(pairs) > MOST_GROUPS:
    pairs = [(sides[0], other) for other in sides[1 : 1 + MOST_GROUPS]]
  if metric is None or not pairs:
    return []
  groups, cases, counts = [], [], []
  for first, second in pairs:
    group = f"{first.name} and {second.name}"
    difference_I = first.mean_I - second.mean_I
    groups.append(group)
    chosen = _largest(difference_I) + _largest(-difference_I)
    cases += [_case(records[i], i, group, first, second) for i in chosen]
    counts.append(
      f"{first.name} is ahead of {second.name} on"
      f" {int((difference_I > 0).sum()):,} and behind on"
      f" {int((difference_I < 0).sum()):,}"
    )
  text = (
    f"Of {length:,} items of {metrics_lib.get(metric).label}, by means over"
    f" seeds: {'; '.join(counts)}. Shown are those with the largest"
    f" differences, {_EACH} for either side at most: they show in what arms"
    " differ, not how often."
  )
  return [Text(text), Cases(tuple(groups), tuple(cases), first=True)]


def _largest(difference_I: np.ndarray) -> list[int]:
  """The first items with the largest differences above 0."""
  order = np.argsort(-difference_I, kind="stable")[:_EACH]
  return [int(i) for i in order if difference_I[i] > 0]


def _case(
  record: dict[str, Any], number: int, group: str, *sides: _Side
) -> Case:
  parts = [
    Part(name, _shown(value))
    for name, value in record.items()
    if name not in _KNOWN and isinstance(value, str | int | float)
  ]
  for side in sides:
    right_N = side.runs_NxI[:, number]
    text = f"right in {right_N.sum():g} of {len(right_N)} runs"
    parts.append(Part(side.name, text, strong=True))
  return Case(f"Item {_shown(record.get('id', number))}", group, tuple(parts))


def _shown(value: Any) -> str:
  text = str(value)
  return text if len(text) <= _LONGEST_TEXT else f"{text[:_LONGEST_TEXT]} …"


def _records(analysis: Analysis) -> list[dict[str, Any]]:
  """The predictions of the first run that kept them; [] where none did."""
  metric = analysis.metric or ""
  for run in analysis.experiment.runs:
    if run.done and metric in run.items and (records := _of_run(run, metric)):
      return records
  return []


def _of_run(run: Run, metric: str) -> list[dict[str, Any]]:
  """A metric's predictions in the order of its items; [] where they differ."""
  path = run.folder / FILE
  try:
    if not path.is_file() or path.stat().st_size > _LONGEST:
      return []
    lines = strict_json.text_of(path).split("\n")
    objects = [
      strict_json.parse(line, path, finite=False) for line in lines if line
    ]
  except (OSError, UsageError):
    return []
  task = metric.rpartition("/")[2]
  records = [
    o for o in objects if isinstance(o, dict) and o.get("task") == task
  ]
  same = [record.get("score") for record in records] == run.items[
    metric
  ].tolist()
  return records if same else []
