"""The ranking of the arms under every currency, because it can flip."""

from __future__ import annotations

import dataclasses
import functools
import itertools

import numpy as np

from lm_jax.report import metrics as metrics_lib
from lm_jax.report import statistics
from lm_jax.report.arms import scores
from lm_jax.report.collect import Experiment, Run


@dataclasses.dataclass(frozen=True)
class Flip:
  """`ahead` beats `behind` here, and loses to it under the first currency.

  shown: whether both differences are larger than the spread over seeds
    (intervals at level 1 - 0.05 / pairs of arms); None without seed spread.
  """

  ahead: str
  behind: str
  shown: bool | None


@dataclasses.dataclass(frozen=True)
class Ranking:
  """Mean scores at `spend`, the best arm first.

  spend: the largest that every finished run reached, in the currency.
  scores: read off the learning curves; an arm that had not been evaluated
    before `spend` is absent.
  """

  currency: str
  spend: float
  scores: dict[str, float]
  flips: tuple[Flip, ...] = ()

  @property
  def order(self) -> list[str]:
    return list(self.scores)


def at_spend(
  run: Run, currency: str, metric: str, spend: float
) -> float | None:
  """The learning curve at `spend`, linear between evaluations."""
  x, y = run.curve(currency, metric)
  if not len(x) or not x[0] <= spend <= x[-1]:
    return None
  return float(np.interp(spend, x, y))


def _flips(
  order: list[str],
  first: list[str],
  tables: list[np.ndarray],
  arms: list[str],
) -> tuple[Flip, ...]:
  flips = []
  pairs = len(arms) * (len(arms) - 1) / 2
  for ahead, behind in itertools.combinations(order, 2):
    if ahead not in first or behind not in first:
      continue
    if first.index(ahead) < first.index(behind):
      continue
    found = [
      statistics.seed_difference(
        table_AxN, arms.index(ahead), arms.index(behind), 1 - 0.05 / pairs
      )
      for table_AxN in tables
    ]
    shown = None
    if all(e.low is not None and e.high is not None for e in found):
      shown = all((e.low or 0) > 0 or (e.high or 0) < 0 for e in found)
    flips.append(Flip(ahead, behind, shown))
  return tuple(flips)


def rankings(experiment: Experiment, metric: str | None) -> list[Ranking]:
  """A ranking for each currency in which the finished runs were evaluated."""
  if metric is None:
    return []
  result: list[Ranking] = []
  reference: np.ndarray | None = None
  for currency in metrics_lib.CURRENCIES:
    curves = {
      run.name: run.curve(currency, metric)[0]
      for run in experiment.runs
      if run.done
    }
    ends = [x[-1] for x in curves.values() if len(x)]
    arms = [a for a in experiment.arms if experiment.of(a)]
    if not ends or len(arms) < 2:
      continue
    spend = float(min(ends))
    table_AxN, _ = scores(
      experiment,
      arms,
      functools.partial(
        at_spend, currency=currency, metric=metric, spend=spend
      ),
    )
    means = {
      arm: float(np.nanmean(row_N))
      for arm, row_N in zip(arms, table_AxN, strict=True)
      if np.isfinite(row_N).any()
    }
    ordered = dict(sorted(means.items(), key=lambda mean: -mean[1]))
    ranking = Ranking(currency, spend, ordered)
    if reference is None:
      reference = table_AxN
    else:
      flips = _flips(
        ranking.order, result[0].order, [table_AxN, reference], arms
      )
      ranking = dataclasses.replace(ranking, flips=flips)
    result.append(ranking)
  return result
