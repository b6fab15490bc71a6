"""The table of the causes of the spread, where seeds are crossed."""

from __future__ import annotations

import math
from collections.abc import Sequence

from lm_jax.report import metrics as metrics_lib
from lm_jax.report.arms import grid_of
from lm_jax.report.blocks import Block, Table, Text
from lm_jax.report.collect import Experiment
from lm_jax.report.compare import Analysis
from lm_jax.report.subject import listed
from lm_jax.statistics import variance
from lm_jax.statistics.variance import Component
from lm_jax.types import SEED_KINDS

# What a reader calls the causes of the spread.
CAUSES = {
  "parameters": "initialisation",
  variance.REST: "their interaction, and the noise of items",
}


def parts(experiment: Experiment, metric: str | None) -> list[Component]:
  """Parts the spread of a metric; [] where seeds are not crossed.

  Args:
    experiment: with all of its runs.
    metric: the tested one.
  """
  if metric is None or not experiment.seed_kinds:
    return []
  groups = []
  for arm in experiment.arms:
    runs = experiment.with_metric(metric, arm)
    if runs:
      seeds = [dict(zip(SEED_KINDS, run.cell, strict=True)) for run in runs]
      groups.append((grid_of(runs, metric), seeds))
  return variance.components(groups, experiment.seed_kinds)


def _share(part: Component) -> str:
  low, high = part.share.low or 0.0, part.share.high or 0.0
  return f"{100 * part.share.value:.0f} % [{100 * low:.0f}, {100 * high:.0f}]"


def sentence(known: Sequence[Component], metric: str | None) -> str:
  """Says where the spread comes from; "" where `parts` found none."""
  shares = [
    f"{_share(part)} {CAUSES.get(part.cause, part.cause)}" for part in known
  ]
  if metric is None or not shares:
    return ""
  label = metrics_lib.get(metric).label
  return f"Of the spread of {label}, {listed(shares, 'and')}."


def table(
  known: Sequence[Component], experiment: Experiment, analysis: Analysis
) -> list[Block]:
  """Shows each cause with its share and its standard deviation.

  Args:
    known: the parts.
    experiment: with all of its runs.
    analysis: of those that share no seed.
  """
  name = analysis.metric
  if name is None or not known:
    return []
  kinds = experiment.seed_kinds
  scale = 100 if metrics_lib.get(name).unit == "%" else 1
  rows = tuple(
    (
      CAUSES.get(part.cause, part.cause),
      _share(part),
      f"{scale * math.sqrt(part.variance.value):.3g}",
      f"{part.df:,}",
    )
    for part in known
  )
  unit = ", points" if scale == 100 else ""
  head = ("cause", "of the spread", f"sd{unit}", "degrees of freedom")
  count = len(analysis.experiment.runs_of(experiment.baseline, done=False))
  text = (
    f"The spread of one run's {metrics_lib.get(name).label}, by other seeds of"
    " each kind and other items, pooled over arms that each have a mean of"
    " their own: analysis of variance, generalized 95 % intervals. Crossed runs"
    f" share seeds, so that the comparison above uses the {count} runs of each"
    " arm that share none."
  )
  held = [kind for kind in SEED_KINDS if kind not in kinds]
  if held:
    text += (
      f" All runs have one seed of {' and of '.join(held)}: nothing here is"
      " said over other ones."
    )
  return [Table(head, rows), Text(text)]
