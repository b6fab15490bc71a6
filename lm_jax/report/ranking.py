"""The ranking of the arms at equal spend, in every currency: it can flip.

Decayed models only: a model in the middle of its schedule is worse than a run
of that budget would be, by more than many differences between arms. Those of
one experiment at one spend are the ends of runs and of their branches.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence

import numpy as np

from lm_jax.report import compare, tuning
from lm_jax.report import metrics as metrics_lib
from lm_jax.report.collect import Experiment
from lm_jax.report.compare import ALPHA, Pair
from lm_jax.report.run import Run
from lm_jax.statistics import items as items_lib

# Spends that differ by less count as equal: budgets are spent in whole steps,
# and what tokens, targets and seconds a step takes is only known behind it.
NEAR = 0.02
NEAR_SECONDS = 0.05
# At most so many steps, where steps are few.
_STEPS = 1.5


@dataclasses.dataclass(frozen=True)
class Flip:
  """`ahead` beats `behind` here, and loses to it under the first currency.

  shown: whether both differences are shown, after Holm's correction; None
    where there is no test.
  """

  ahead: str
  behind: str
  shown: bool | None


@dataclasses.dataclass(frozen=True)
class Ranking:
  """The arms at `spend`, by decayed models, the best mean first.

  scores: means over seeds, of the arms that have a decayed model there.
  better: for each pair (ahead, behind) whether the difference is shown, after
    Holm's correction for all pairs; absent where there is no test.
  over: "seeds" or "items", of the test; "" without any.
  shares: of the spend of its finished runs, for the arms that have none.
  """

  currency: str
  spend: float
  scores: dict[str, float]
  better: dict[tuple[str, str], bool] = dataclasses.field(default_factory=dict)
  over: str = ""
  shares: dict[str, float] = dataclasses.field(default_factory=dict)
  flips: tuple[Flip, ...] = ()

  @property
  def order(self) -> list[str]:
    return list(self.scores)

  @property
  def tested(self) -> bool:
    """Returns whether every pair was tested: else nobody has a place."""
    pairs = itertools.combinations(self.order, 2)
    return len(self.scores) > 1 and all(pair in self.better for pair in pairs)

  def places(self, arm: str) -> tuple[int, int] | None:
    """Returns the first and the last place that an arm may have.

    1 and the number of arms that are shown to be better; and how many there are
    without those that are shown to be worse. "Not shown to differ" is not
    transitive, so that no single number says both.
    """
    if not self.tested or arm not in self.scores:
      return None
    above = sum(x for (_, behind), x in self.better.items() if behind == arm)
    below = sum(x for (ahead, _), x in self.better.items() if ahead == arm)
    return 1 + above, len(self.scores) - below

  @property
  def best(self) -> list[str]:
    """The arms that none is shown to be better than: a tied set."""
    first = {arm: self.places(arm) for arm in self.order}
    return [arm for arm, places in first.items() if places and places[0] == 1]


def near(run: Run, currency: str, spend: float) -> bool:
  """Returns whether a model was trained with about that spend."""
  spent = run.ledger.get(currency)
  if not spent:
    return False
  within = NEAR_SECONDS if currency == "seconds" else NEAR
  step = spent / max(1.0, run.ledger.get("steps", 0.0))
  return abs(spent - spend) <= max(within * spend, _STEPS * step)


def decayed_at(run: Run, currency: str, spend: float) -> Run | None:
  """Returns the decayed model of a run that is nearest to a spend, if any."""
  models = [one for one in run.decayed if near(one, currency, spend)]
  return min(
    models,
    key=lambda one: abs(one.ledger[currency] - spend),
    default=None,
  )


def _standing(
  experiment: Experiment, currency: str, spend: float
) -> dict[str, list[Run]]:
  """The decayed models at a spend, of arms whose finished runs all have one."""
  standing = {}
  barred = tuning.unranked(experiment.about)
  for arm in experiment.arms:
    if arm in barred:
      continue
    models = [
      decayed_at(run, currency, spend) for run in experiment.runs_of(arm)
    ]
    if models and all(models):
      standing[arm] = [model for model in models if model]
  return standing


def _spend(experiment: Experiment, currency: str) -> float | None:
  """The spend at which most arms have a decayed model; the largest such.

  Where no two arms share one, the largest that every finished run reached.
  """
  done = [run for run in experiment.runs if run.done]
  ends = [x for run in done if (x := run.ledger.get(currency))]
  if not ends:
    return None
  spends = {
    one.ledger[currency]
    for run in done
    for one in run.decayed
    if one.ledger.get(currency)
  }
  counts = {x: len(_standing(experiment, currency, x)) for x in spends}
  most = max(counts.values())
  if most < 2:
    return min(ends)
  return max(x for x, count in counts.items() if count == most)


def _better(
  experiment: Experiment, metric: str, arms: Sequence[str]
) -> tuple[dict[tuple[str, str], bool], str]:
  """Tests all pairs; over seeds where each has enough, else over items."""
  names = list(itertools.combinations(arms, 2))
  length = compare.items_of(experiment, metric)
  pairs = [Pair.from_runs(experiment, metric, *two) for two in names]
  over = "seeds"
  estimates = [pair.over_seeds(1 - ALPHA) for pair in pairs]
  if not all(estimates):
    over = "items"
    estimates = [pair.over_items(length) for pair in pairs]
  ps = items_lib.holm([e.p if e else None for e in estimates])
  sides = [
    compare.side(estimate, p, metric)
    for estimate, p in zip(estimates, ps, strict=True)
  ]
  known = {
    two: side == "better"
    for two, side in zip(names, sides, strict=True)
    if side is not None
  }
  return known, over if known else ""


def _flips(ranking: Ranking, first: Ranking) -> tuple[Flip, ...]:
  """The pairs that stand the other way round than in the first ranking."""
  flips = []
  for ahead, behind in itertools.combinations(ranking.order, 2):
    if not {ahead, behind} <= first.scores.keys():
      continue
    if first.order.index(ahead) < first.order.index(behind):
      continue
    both = (
      ranking.better.get((ahead, behind)),
      first.better.get((behind, ahead)),
    )
    shown = None if None in both else all(both)
    flips.append(Flip(ahead, behind, shown))
  return tuple(flips)


def rankings(experiment: Experiment, metric: str | None) -> list[Ranking]:
  """Ranks the decayed models of the arms in each currency."""
  if metric is None:
    return []
  result: list[Ranking] = []
  if sum(bool(experiment.runs_of(arm)) for arm in experiment.arms) < 2:
    return []
  for currency in metrics_lib.CURRENCIES:
    spend = _spend(experiment, currency)
    if spend is None:
      continue
    ranking = _at(experiment, metric, currency, spend)
    if result:
      flips = _flips(ranking, result[0])
      ranking = dataclasses.replace(ranking, flips=flips)
    result.append(ranking)
  return result


def _at(
  experiment: Experiment, metric: str, currency: str, spend: float
) -> Ranking:
  standing = {
    arm: models
    for arm, models in _standing(experiment, currency, spend).items()
    if all(metric in model.metrics for model in models)
  }
  means = {
    arm: float(np.mean([model.metrics[metric] for model in models]))
    for arm, models in standing.items()
  }
  sign = -1 if metrics_lib.get(metric).higher_better else 1
  ordered = dict(sorted(means.items(), key=lambda mean: sign * mean[1]))
  models = tuple(model for models in standing.values() for model in models)
  there = dataclasses.replace(experiment, runs=models)
  better, over = _better(there, metric, list(ordered))
  shares = {}
  barred = tuning.unranked(experiment.about)
  for arm in experiment.arms:
    if arm in barred:
      continue
    ends = [run.ledger.get(currency) for run in experiment.runs_of(arm)]
    known = [end for end in ends if end]
    if arm not in means and known:
      shares[arm] = spend / float(np.mean(known))
  return Ranking(currency, spend, ordered, better, over, shares)
