"""Results of an evaluation: rows of one schema for all ways of measuring."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, Literal

import numpy as np

from lm_jax.report import metrics as metrics_lib
from lm_jax.statistics import items as items_lib
from lm_jax.statistics.estimates import Estimate
from lm_jax.tasks import base
from lm_jax.tasks.base import Measure

# How a task was measured: by itself, of the model's scores or features; by
# prompts; by the head that the model was fine-tuned with.
OWN: Final = "own"
PROMPT: Final = "prompt"
HEAD: Final = "head"
Way = Literal["own", "prompt", "head"]


@dataclasses.dataclass(frozen=True)
class Row:
  """One number, and how it was measured; docs/evaluation.md has the schema.

  value: as it was measured; a share is a fraction of 1.
  low, high: of a 95 % interval over items, and over draws of shots where
    there are several; of a bound, over draws of masks; None where there is
    none.
  items: how many were scored; None where that is not known.
  way: OWN, PROMPT or HEAD.
  scoring: what was read of the model: the kind of its scores, "cloze",
    "generated", or the objective that it was fine-tuned with.
  headline: whether it is shown first; predictions hold its scores.
  part: of a number of a part of the items, how these are parted: "term"; ""
    of one of all items.
  samples: texts that were written for each prompt.
  cut: items that lost tokens, as a share.
  shots_dropped: shots that did not fit, as a share.
  chance, commonest: accuracies of guessing, and of always giving the
    commonest right answer.
  constant: whether all items were answered alike, and not all rightly.
  """

  task: str
  metric: str
  value: float
  low: float | None = None
  high: float | None = None
  items: int | None = None
  way: Way = OWN
  scoring: str = ""
  headline: bool = True
  shots: int | None = None
  draws: int | None = None
  samples: int | None = None
  template: str = ""
  correction: str = ""
  cut: float | None = None
  shots_dropped: float | None = None
  chance: float | None = None
  commonest: float | None = None
  part: str = ""
  constant: bool = False


@dataclasses.dataclass(frozen=True)
class Outcome:
  """The results of a task.

  predictions: an object for each item (and number of shots, and draw), ready
    for JSON, as lm_jax/evaluation/predictions.py describes them.
  """

  task: str
  rows: tuple[Row, ...]
  predictions: tuple[dict[str, Any], ...] = ()


@dataclasses.dataclass(frozen=True, eq=False)
class Evaluation(Mapping[str, float]):
  """The results of a model; a mapping of the headline numbers.

  Metrics of tasks that measure by themselves have names of their own; those
  of others are "sst2/accuracy", or "sst2/4 shots/accuracy".

  model: what it is: path, digest of its parameters, objective, ...
  flags: that the numbers depend on.
  versions: by package.
  """

  model: Mapping[str, Any]
  flags: Mapping[str, Any]
  versions: Mapping[str, str]
  outcomes: tuple[Outcome, ...]

  @property
  def rows(self) -> list[Row]:
    return [row for outcome in self.outcomes for row in outcome.rows]

  @functools.cached_property
  def _metrics(self) -> dict[str, float]:
    metrics = {}
    for row in self.rows:
      if row.headline:
        shots = "" if row.shots is None else f"{row.shots} shots/"
        own = row.way == OWN
        name = row.metric if own else f"{row.task}/{shots}{row.metric}"
        metrics[name] = row.value
    return metrics

  def __getitem__(self, name: str) -> float:
    return self._metrics[name]

  def __iter__(self) -> Iterator[str]:
    return iter(self._metrics)

  def __len__(self) -> int:
    return len(self._metrics)

  @property
  def predictions(self) -> list[dict[str, Any]]:
    return [p for outcome in self.outcomes for p in outcome.predictions]


def estimate(scores: Sequence[float]) -> Estimate:
  """The mean of item scores with a 95 % interval over items.

  By Wilson's interval of scores that are 0 or 1, else by t; cut to [0, 1]
  where all scores are in it.
  """
  scores_I = np.array(scores, np.float64)
  if scores_I.min() >= 0 and scores_I.max() <= 1:
    return items_lib.item_interval(scores_I)
  difference = items_lib.item_difference(scores_I, np.zeros_like(scores_I))
  return dataclasses.replace(difference, p=None)


def of_measure(task: str, found: Measure, way: Way, scoring: str) -> Outcome:
  """Turns a task's metrics into rows; adds intervals where items are scored.

  A metric has an interval where it is the mean of scores of items. TASK/items
  is no metric, but how many there are.
  """
  known = dict(found.items)
  alone = [p["score"] for p in found.predictions] if not known else []
  if len(known) == 1:
    (alone,) = known.values()
  rows = []
  collapsed = task in base.constant(found.predictions)
  metrics = dict(found.metrics)
  count = metrics.pop(f"{task}/items", None)
  for metric, value in metrics.items():
    # A judge scores items once, whatever the names of its metrics are.
    of_items = known.get(metric, alone if way == HEAD else [])
    if way == HEAD:
      metric = metric.removeprefix(f"{task}/")
    row = Row(
      task,
      metric,
      value,
      constant=collapsed,
      way=way,
      scoring=found.scoring or scoring,
      chance=metrics_lib.get(metric).chance,
      part=found.parts.get(metric, ""),
    )
    error = found.likelihood.get("standard_error")
    if error is not None:
      half = 1.96 * error
      row = dataclasses.replace(row, low=value - half, high=value + half)
    if count is not None:
      row = dataclasses.replace(row, items=int(count))
    if len(of_items):
      spread = estimate(of_items)
      row = dataclasses.replace(row, items=len(of_items))
      if math.isclose(spread.value, value, rel_tol=1e-6, abs_tol=1e-9):
        row = dataclasses.replace(row, low=spread.low, high=spread.high)
    rows.append(row)
  predictions = list(found.predictions)
  if not predictions and len(known) == 1:
    (listed,) = known.values()
    predictions = [
      {"task": task, "id": str(number), "score": score}
      for number, score in enumerate(listed)
    ]
  return Outcome(task, tuple(rows), tuple(predictions))
