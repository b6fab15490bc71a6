"""Each arm in numbers: means over its finished seeds, with intervals.

Two regimes, by the number of finished seeds (`regime_of`): "seeds" where some
arm has `differences.MIN_SEEDS` of them, else "items". Below that an arm is
described, and nothing is claimed over seeds.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from lm_jax.report import floor, subject
from lm_jax.report import metrics as metrics_lib
from lm_jax.report.collect import Experiment
from lm_jax.report.run import Run
from lm_jax.statistics import differences
from lm_jax.statistics import items as items_lib
from lm_jax.statistics.differences import MIN_SEEDS
from lm_jax.statistics.estimates import Array, Estimate


@dataclasses.dataclass(frozen=True)
class Arm:
  """An arm's finished runs, in numbers (means over its seeds).

  metrics: with intervals over seeds, and over items too where a run holds
    the score of each item; none below MIN_SEEDS seeds.
  items: the tested metric over items, for these checkpoints only.
  total: the tested metric over seeds and items; over items alone where the
    arm has too few seeds.
  """

  name: str
  done: int
  planned: int
  parameters: int | None
  scoring: str
  ledger: dict[str, float]
  metrics: dict[str, Estimate]
  items: Estimate | None
  total: Estimate | None


def tested(experiment: Experiment) -> str | None:
  """Names the metric to compare arms on: the own loss of one objective.

  It is the primary measure of an experiment that was preregistered, or what
  --metric asked for. Where a metric has too few items (floor.py), none ranks.
  """
  done = [run for run in experiment.runs if run.done]
  asked = floor.asked(experiment)
  if experiment.plan is not None:
    asked = experiment.plan.primary
  if asked:
    known = any(asked in run.metrics for run in done)
    return asked if known and floor.is_enough(experiment, asked) else None
  if own_losses_compare(done):
    return metrics_lib.OWN_LOSS
  for name, metric in metrics_lib.METRICS.items():
    measured = any(name in run.metrics for run in done)
    if metric.higher_better and measured and floor.is_enough(experiment, name):
      return name
  return None


def own_losses_compare(done: Sequence[Run]) -> bool:
  """Returns whether arms may be compared by their validation losses.

  They may not where the objective makes its own task as it learns: the
  better a generator, the harder to find what it has replaced.
  """
  return (
    len({run.arm for run in done}) > 1
    and all(metrics_lib.OWN_LOSS in run.metrics for run in done)
    and all(run.scoring != "energy" for run in done)
    and subject.losses_compare([run.settings for run in done])
  )


def regime_of(experiment: Experiment, metric: str | None) -> str:
  counts = [len(experiment.with_metric(metric, a)) for a in experiment.arms]
  return "seeds" if max(counts, default=0) >= MIN_SEEDS else "items"


def item_grid(runs: list[Run], metric: str | None, length: int) -> Array | None:
  """The runs' item scores [N, I]; None unless every run has all items."""
  lists = [run.items.get(metric or "") for run in runs]
  whole = [x for x in lists if x is not None and len(x) == length]
  return np.stack(whole) if whole and len(whole) == len(lists) else None


def grid_of(runs: list[Run], metric: str) -> Array:
  """The runs' scores [N, I]; [N, 1] where they hold none of their items."""
  lists = [run.items[metric] for run in runs if metric in run.items]
  grid_NxI = item_grid(runs, metric, len(lists[0])) if lists else None
  if grid_NxI is None:
    return np.array([[run.metrics[metric]] for run in runs])
  return grid_NxI


def is_fraction(metric: str) -> bool:
  return metrics_lib.get(metric).unit == "%"


def estimates_of(experiment: Experiment, metric: str) -> dict[str, Estimate]:
  """Estimates `metric` for each arm that has it, by its own spread."""
  return {
    arm: differences.mean(grid_of(runs, metric), fraction=is_fraction(metric))
    for arm in experiment.arms
    if (runs := experiment.with_metric(metric, arm))
  }


def _mean(values: list) -> float | None:
  known = [value for value in values if value is not None]
  return float(np.mean(known)) if known else None


def summarize(
  experiment: Experiment,
  name: str,
  metric: str | None,
  estimates: dict[str, dict[str, Estimate]],
  length: int,
) -> Arm:
  runs = experiment.runs_of(name)
  ledger = {
    currency: spent
    for currency in metrics_lib.LEDGER
    if (spent := _mean([run.ledger.get(currency) for run in runs])) is not None
  }
  parameters = _mean([run.parameters for run in runs])
  metrics = {m: by[name] for m, by in estimates.items() if name in by}
  grid_NxI = item_grid(experiment.with_metric(metric, name), metric, length)
  over_items, total = None, metrics.get(metric or "")
  if grid_NxI is not None:
    over_items = items_lib.item_interval(grid_NxI.mean(0))
    if len(grid_NxI) < MIN_SEEDS:
      total = over_items
  return Arm(
    name,
    len(runs),
    len(experiment.runs_of(name, done=False)),
    None if parameters is None else round(parameters),
    runs[0].scoring if runs else "",
    ledger,
    metrics,
    over_items,
    total,
  )
