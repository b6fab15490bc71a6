"""Measures the parts of a claim: from an experiment, or from fine-tuned models.

Differences and means have the intervals of the report (over seeds, and items
where each has a score); this is the one place that asks for them.
"""

from __future__ import annotations

import collections
from typing import Any, Protocol

import numpy as np

from lm_jax.published import verdict
from lm_jax.published.claim import Claim, Computed, Number, Order, Scale, Scored
from lm_jax.published.outcome import Part
from lm_jax.report import arms, collect, compare
from lm_jax.report import metrics as metrics_lib
from lm_jax.statistics import differences
from lm_jax.statistics.differences import MIN_SEEDS
from lm_jax.statistics.equivalence import Comparison
from lm_jax.statistics.estimates import Array, Estimate

POINTS = "points"


class Scores(Protocol):
  """Scores of arms over seeds, by measure."""

  def difference(
    self, better: str, worse: str, measure: str
  ) -> Comparison | None:
    """Compares the first arm with the second; None where it can't be had."""

  def mean(self, arm: str, measure: str) -> Estimate | None:
    """Estimates an arm's mean; None where it can't be had."""

  def seeds(self, measure: str) -> int:
    """Counts the seeds of the arm that has fewest."""

  def unit(self, measure: str) -> tuple[str, float, bool]:
    """Returns the unit, the factor to it, and whether less is better."""


class OfExperiment:
  """Scores of a directory that `compare` has written."""

  def __init__(self, experiment: collect.Experiment):
    self._experiment = experiment.independent()

  def difference(
    self, better: str, worse: str, measure: str
  ) -> Comparison | None:
    pair = compare.Pair.from_runs(self._experiment, measure, better, worse)
    if not all(pair.sides):
      return None
    one, other = (arms.grid_of(side, measure) for side in pair.sides)
    if one.shape[1] != other.shape[1]:  # not the same items
      one, other = one.mean(1)[:, None], other.mean(1)[:, None]
    share = arms.is_fraction(measure)
    return _comparison(one, other, pair.paired, share)

  def mean(self, arm: str, measure: str) -> Estimate | None:
    return arms.estimates_of(self._experiment, measure).get(arm)

  def seeds(self, measure: str) -> int:
    names = {run.arm for run in self._experiment.runs}
    runs = (self._experiment.with_metric(measure, name) for name in names)
    return min(map(len, runs))

  def unit(self, measure: str) -> tuple[str, float, bool]:
    metric = metrics_lib.get(measure)
    unit = POINTS if metric.unit == "%" else metric.unit
    return unit, metric.scale, metric.higher_better is False


class OfTasks:
  """Mean scores of models that were fine-tuned for several tasks.

  records: those of a protocol, a dict for each score (`report.protocol`).
  """

  def __init__(self, records: list[dict[str, Any]]):
    tasks = {record["task"] for record in records}
    scores: dict[tuple[str, int], dict[str, float]] = collections.defaultdict(
      dict
    )
    for record in records:
      key = record["model"], record["seed"]
      scores[key][record["task"]] = float(record["value"])
    self._by_arm: dict[str, dict[int, float]] = collections.defaultdict(dict)
    for (arm, seed), by_task in scores.items():
      if by_task.keys() == tasks:
        self._by_arm[arm][seed] = float(np.mean(list(by_task.values())))

  def difference(
    self, better: str, worse: str, measure: str
  ) -> Comparison | None:
    seeds = sorted(self._by_arm[better].keys() & self._by_arm[worse].keys())
    if not seeds:
      return None
    one, other = (
      np.array([[self._by_arm[arm][seed]] for seed in seeds])
      for arm in (better, worse)
    )
    return _comparison(one, other, paired=True, share=True)

  def mean(self, arm: str, measure: str) -> Estimate | None:
    scores = list(self._by_arm[arm].values())
    if not scores:
      return None
    return differences.mean(np.array(scores)[:, None], fraction=True)

  def seeds(self, measure: str) -> int:
    return min(map(len, self._by_arm.values()), default=0)

  def unit(self, measure: str) -> tuple[str, float, bool]:
    return POINTS, 100.0, False


def _comparison(
  one_NxI: Array, other_NxI: Array, paired: bool, share: bool
) -> Comparison:
  """Compares scores of two arms; without limits below MIN_SEEDS seeds."""
  value = float(one_NxI.mean() - other_NxI.mean())
  if min(len(one_NxI), len(other_NxI)) < MIN_SEEDS:
    return Comparison(value)
  limits = differences.difference_limits(one_NxI, other_NxI, paired, share)
  low, high = limits(verdict.ALPHA)
  # Scores that agree to the last bit carry no information on their spread.
  spread = high - low > 1e-12 * max(1.0, abs(value))
  return Comparison(value, limits if spread else None)


def trained(claim: Claim, scale: Scale, scores: Scores) -> list[Part]:
  """Measures the orders and numbers of a claim about trained models."""
  count = sum(isinstance(part, Order) for part in claim.parts)
  parts = []
  for part in claim.parts:
    if isinstance(part, Order):
      parts.append(_order(part, scale, scores, count))
    elif isinstance(part, Number):
      parts.append(_number(part, scale, scores))
  return parts


def _order(part: Order, scale: Scale, scores: Scores, count: int) -> Part:
  measure = part.measure or scale.measure
  unit, factor, less = scores.unit(measure)
  comparison = scores.difference(part.better, part.worse, measure)
  if comparison is None:
    return _part(part, verdict.INCONCLUSIVE, None, factor, unit)
  margin = scale.smallest_effect / factor
  alpha = verdict.ALPHA / count
  said = verdict.order(comparison, margin, alpha, less)
  ends = verdict.interval(comparison, alpha) or (None, None)
  return _part(part, said, Estimate(comparison.value, *ends), factor, unit)


def _number(part: Number, scale: Scale, scores: Scores) -> Part:
  measure = part.measure or scale.measure
  unit, factor, _ = scores.unit(measure)
  estimate = scores.mean(part.arm, measure)
  interval = _interval(estimate, factor)
  said = verdict.number(interval, part.value, part.tolerance)
  return _part(part, said, estimate, factor, unit)


def computed(part: Computed) -> Part:
  """Computes a number, and compares it with the published one."""
  ours = part.compute()
  said = verdict.computed(ours, part.value, part.tolerance)
  return Part(part.label, part.published, said, value=ours)


def scored(part: Scored, model: str, data: str) -> Part:
  """Scores a published model on its task, and compares the result.

  Args:
    part: what was published.
    model: the model's directory.
    data: the file of the task's examples.
  """
  from lm_jax.evaluation import evaluate
  from lm_jax.evaluation.flags import EvaluateFlags

  flags = EvaluateFlags(model, (part.task,), task_data=(f"{part.task}={data}",))
  evaluation = evaluate.evaluate(flags)
  row = next(row for row in evaluation.rows if row.metric == part.metric)
  estimate = Estimate(row.value, row.low, row.high)
  interval = _interval(estimate, 100.0)
  said = verdict.number(interval, part.value, part.tolerance)
  return _part(part, said, estimate, 100.0, "%")


def _interval(estimate: Estimate | None, factor: float) -> verdict.Interval:
  if estimate is None or estimate.low is None or estimate.high is None:
    return None
  return factor * estimate.low, factor * estimate.high


def _part(
  part: Order | Number | Scored,
  said: str,
  estimate: Estimate | None,
  factor: float,
  unit: str,
) -> Part:
  if estimate is None:
    return Part(part.label, part.published, said, unit=unit)
  low, high = _interval(estimate, factor) or (None, None)
  value = factor * estimate.value
  return Part(part.label, part.published, said, value, low, high, unit)
