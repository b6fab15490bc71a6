"""Each arm against the baseline: estimates, corrected tests, verdicts.

One metric is tested, the first of METRICS that two objectives can be compared
on and that was measured.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from lm_jax.report import items as items_lib
from lm_jax.report import metrics as metrics_lib
from lm_jax.report import statistics
from lm_jax.report.arms import (
  Arm,
  estimates_of,
  item_grid,
  regime_of,
  scores,
  summarize,
  tested,
)
from lm_jax.report.collect import Experiment
from lm_jax.report.statistics import Array, Estimate

ALPHA = 0.05


@dataclasses.dataclass(frozen=True)
class Difference:
  """Arm minus baseline in the tested metric; p values corrected by Holm.

  wide: the seed interval at level 1 - 0.05 / comparisons (Bonferroni), which
  covers all comparisons at once.
  claim: "better" or "worse" where that may be said of the objective, else "".
  """

  arm: str
  seeds: Estimate | None
  wide: Estimate | None
  items: Estimate | None
  p_seeds: float | None = None
  p_items: float | None = None
  claim: str = ""
  verdict: str = ""


@dataclasses.dataclass(frozen=True)
class Analysis:
  experiment: Experiment
  metric: str | None
  regime: str
  arms: tuple[Arm, ...]
  differences: tuple[Difference, ...]

  def arm(self, name: str) -> Arm:
    return next(arm for arm in self.arms if arm.name == name)


def _difference(
  experiment: Experiment,
  metric: str,
  regime: str,
  name: str,
  scores_AxN: Array,
  arms: list[str],
  length: int,
  family: int,
) -> Difference:
  """An arm minus the baseline, on the seeds that both have if there are any.

  scores_AxN holds `metric` for `arms`; length is the number of items;
  family the number of comparisons.
  """
  sides = [
    [run for run in experiment.of(arm) if metric in run.metrics]
    for arm in (name, experiment.baseline)
  ]
  shared = {r.seed for r in sides[0]} & {r.seed for r in sides[1]}
  if shared:
    sides = [[run for run in side if run.seed in shared] for side in sides]
  arm_NxI, base_NxI = (item_grid(side, metric, length) for side in sides)
  items = None
  if arm_NxI is not None and base_NxI is not None:
    items = items_lib.item_difference(arm_NxI.mean(0), base_NxI.mean(0))
  if regime == "items":
    return Difference(name, None, None, items)
  estimates = []
  for level in (1 - ALPHA, 1 - ALPHA / family):
    if regime == "t":
      pair = arms.index(name), arms.index(experiment.baseline)
      estimate = statistics.seed_difference(scores_AxN, *pair, level=level)
    else:
      if arm_NxI is None or base_NxI is None:  # no items: seeds alone
        arm_NxI, base_NxI = (
          np.array([[run.metrics[metric]] for run in side]) for side in sides
        )
      estimate = statistics.bootstrap(
        arm_NxI, base_NxI, paired=bool(shared), level=level
      )
    estimates.append(estimate)
  return Difference(name, estimates[0], estimates[1], items)


def _side(
  estimate: Estimate | None, p: float | None, metric: str
) -> str | None:
  """What a corrected p allows: better, worse or ""; None without a test."""
  if estimate is None or p is None:
    return None
  if p >= ALPHA:
    return ""
  # A loss or bits per byte is better where it is less.
  less = metrics_lib.of(metric).higher_better is False
  return "better" if (estimate.value > 0) != less else "worse"


def _judge(
  difference: Difference, regime: str, metric: str, baseline: str
) -> Difference:
  """Adds the claim and the verdict; both follow Holm's correction.

  The t interval of the regime "t" is over seeds on the items at hand, so a
  claim there needs the item test as well, where there are items.
  """
  seeds = _side(difference.seeds, difference.p_seeds, metric)
  items = _side(difference.items, difference.p_items, metric)
  few = regime == "t"
  checkpoints = f"these checkpoints only: {items} than {baseline}"
  claim = ""
  if seeds and few and items is not None and items != seeds:
    verdict = f"{seeds} over seeds (few seeds), but not shown over items"
  elif seeds:
    claim = seeds
    verdict = f"{seeds} than {baseline} over seeds"
    verdict += " (few seeds)" if few else ""
  elif seeds is None and items is None:
    verdict = "no test possible"
  elif seeds is None:
    verdict = checkpoints if items else "not shown between these checkpoints"
  else:
    verdict = "not shown over seeds" + (" (underpowered)" if few else "")
    if items:
      verdict += f"; {checkpoints}"
    elif items is not None:
      verdict += ", nor between these checkpoints"
  return dataclasses.replace(difference, claim=claim, verdict=verdict)


def analyse(experiment: Experiment) -> Analysis:
  """Everything that tables and figures show, computed once."""
  metric = tested(experiment)
  regime = regime_of(experiment, metric)
  measured = {name for run in experiment.runs for name in run.metrics}
  estimates = {
    name: estimates_of(experiment, name, regime)
    for name in metrics_lib.METRICS
    if name in measured
  }
  if metric is None:
    arms = tuple(
      summarize(experiment, name, None, regime, estimates, (0.0, 0), 0)
      for name in experiment.arms
    )
    return Analysis(experiment, None, regime, arms, ())
  have = [arm for arm in experiment.arms if arm in estimates[metric]]
  scores_AxN, _ = scores(experiment, have, lambda r: r.metrics.get(metric))
  pooled = statistics.pooled_variance(scores_AxN)
  lists = [r.items[metric] for r in experiment.runs if metric in r.items]
  length = len(lists[0]) if lists else 0
  arms = tuple(
    summarize(experiment, name, metric, regime, estimates, pooled, length)
    for name in experiment.arms
  )
  others = [arm for arm in have if arm != experiment.baseline]
  if experiment.baseline not in have:
    others = []
  found = [
    _difference(
      experiment, metric, regime, arm, scores_AxN, have, length, len(others)
    )
    for arm in others
  ]
  p_seeds = items_lib.holm([d.seeds.p if d.seeds else None for d in found])
  p_items = items_lib.holm([d.items.p if d.items else None for d in found])
  differences = []
  for d, over_seeds, over_items in zip(found, p_seeds, p_items, strict=True):
    d = dataclasses.replace(d, p_seeds=over_seeds, p_items=over_items)
    differences.append(_judge(d, regime, metric, experiment.baseline))
  return Analysis(experiment, metric, regime, arms, tuple(differences))
