"""Each arm in numbers: means over its finished seeds, with intervals.

Three regimes, by the number of finished seeds (`regime_of`): "bootstrap" from
five seeds on, "t" below, "items" where no arm has two.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np

from lm_jax.report import items as items_lib
from lm_jax.report import metrics as metrics_lib
from lm_jax.report import statistics, subject
from lm_jax.report.collect import Experiment, Run
from lm_jax.report.statistics import Array, Estimate

MANY_SEEDS = 5


@dataclasses.dataclass(frozen=True)
class Arm:
  """An arm's finished runs, in numbers (means over its seeds).

  metrics: with intervals over seeds (and items, in the regime "bootstrap").
  items: the tested metric over items, for these checkpoints only.
  total: the tested metric with the interval that counts seeds and items
    both; over items alone where no seed interval exists.
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


def scores(
  experiment: Experiment,
  arms: list[str],
  value_of: Callable[[Run], float | None],
) -> tuple[Array, list[int]]:
  """value_of(run) of finished runs, [A, N], NaN where none; and the seeds."""
  seeds = sorted({run.seed for arm in arms for run in experiment.of(arm)})
  scores_AxN = np.full((len(arms), len(seeds)), np.nan)
  for a, arm in enumerate(arms):
    for run in experiment.of(arm):
      value = value_of(run)
      if value is not None:
        scores_AxN[a, seeds.index(run.seed)] = value
  return scores_AxN, seeds


def tested(experiment: Experiment) -> str | None:
  """The metric that arms are compared on: of one objective, its own loss."""
  done = [run for run in experiment.runs if run.done]
  if subject.own_losses_compare(done):
    return metrics_lib.OWN_LOSS
  for name, metric in metrics_lib.METRICS.items():
    if metric.higher_better and any(name in run.metrics for run in done):
      return name
  return None


def regime_of(experiment: Experiment, metric: str | None) -> str:
  counts, shared = [], []
  base = {r.seed for r in experiment.of(experiment.baseline)}
  for arm in experiment.arms:
    seeds = {r.seed for r in experiment.of(arm) if metric in r.metrics}
    if seeds:
      counts.append(len(seeds))
      shared.append(len(seeds & base) or len(seeds))
  if not counts or max(counts) < 2:
    return "items"
  return "bootstrap" if min(counts + shared) >= MANY_SEEDS else "t"


def item_grid(runs: list[Run], metric: str | None, length: int) -> Array | None:
  """The runs' item scores [N, I]; None unless every run has all items."""
  lists = [run.items.get(metric or "") for run in runs]
  whole = [x for x in lists if x is not None and len(x) == length]
  return np.stack(whole) if whole and len(whole) == len(lists) else None


def estimates_of(
  experiment: Experiment, metric: str, regime: str
) -> dict[str, Estimate]:
  """An estimate of `metric` for each arm that has it, over seeds alone.

  Bits per byte pool their variance within a kind of likelihood only.
  """
  kinds: dict[str, list[str]] = {}
  for arm in experiment.arms:
    runs = [run for run in experiment.of(arm) if metric in run.metrics]
    if runs:
      kind = runs[0].scoring if metric == "bits_per_byte" else ""
      kinds.setdefault(kind, []).append(arm)
  found = {}
  for arms in kinds.values():
    scores_AxN, _ = scores(experiment, arms, lambda r: r.metrics.get(metric))
    for a, arm in enumerate(arms):
      row_N = scores_AxN[a][np.isfinite(scores_AxN[a])]
      if regime == "bootstrap":
        found[arm] = statistics.bootstrap(row_N[:, None])
      else:
        found[arm] = statistics.mean_interval(scores_AxN, a)
  return found


def _mean(values: list) -> float | None:
  known = [value for value in values if value is not None]
  return float(np.mean(known)) if known else None


def summarize(
  experiment: Experiment,
  name: str,
  metric: str | None,
  regime: str,
  estimates: dict[str, dict[str, Estimate]],
  pooled: tuple[float, int],
  length: int,
) -> Arm:
  runs = list(experiment.of(name))
  ledger = {}
  for currency in metrics_lib.LEDGER:
    spent = _mean([run.ledger.get(currency) for run in runs])
    if spent is not None:
      ledger[currency] = spent
  parameters = _mean([run.parameters for run in runs])
  metrics = {m: by[name] for m, by in estimates.items() if name in by}
  grid_NxI = item_grid([r for r in runs if metric in r.metrics], metric, length)
  over_items, total = None, metrics.get(metric or "")
  if grid_NxI is not None and metric:
    over_items = items_lib.item_interval(grid_NxI.mean(0))
    if regime == "bootstrap":
      total = metrics[metric] = statistics.bootstrap(grid_NxI)
    elif regime == "t":
      total = statistics.crossed_interval(grid_NxI, *pooled)
    else:
      total = over_items
  return Arm(
    name,
    len(runs),
    len(experiment.of(name, done=False)),
    None if parameters is None else round(parameters),
    runs[0].scoring if runs else "",
    ledger,
    metrics,
    over_items,
    total,
  )
