"""The ranking of the arms under every currency, because it can flip."""

from __future__ import annotations

import dataclasses
import functools
import itertools

import numpy as np

from lm_jax.report import estimates, statistics
from lm_jax.report import metrics as metrics_lib
from lm_jax.report.arms import scores
from lm_jax.report.collect import Experiment
from lm_jax.report.run import Run


@dataclasses.dataclass(frozen=True)
class Flip:
  """`ahead` beats `behind` here, and loses to it under the first currency.

  shown: whether both differences are larger than the spread over seeds
    (intervals at level 1 - 0.05 / pairs of arms); None without seed spread.
  """

  ahead: str
  behind: str
  shown: bool | None


# Shares of a schedule that differ by less count as equal: budgets are spent in
# whole steps.
_SAME = 0.02


@dataclasses.dataclass(frozen=True)
class Ranking:
  """Mean scores at `spend`, the best arm first.

  spend: the largest that every finished run reached, in the currency.
  scores: read off the learning curves; an arm that had not been evaluated
    before `spend` is absent.
  shares: of its own schedule that each arm had gone through at `spend`; below
    1 its learning rate had not decayed yet.
  flips: of pairs of arms that stood at one share, here and in the first
    currency.
  """

  currency: str
  spend: float
  scores: dict[str, float]
  shares: dict[str, float] = dataclasses.field(default_factory=dict)
  flips: tuple[Flip, ...] = ()

  @property
  def fair(self) -> bool:
    """Returns whether all arms stood at one share of their schedules."""
    return self.alike(*self.scores)

  def alike(self, *arms: str) -> bool:
    shares = [self.shares.get(arm, float("nan")) for arm in arms]
    return not shares or max(shares) - min(shares) <= _SAME

  @property
  def order(self) -> list[str]:
    return list(self.scores)


def at_spend(
  run: Run, currency: str, metric: str, spend: float
) -> float | None:
  """Reads the learning curve at `spend`, linear between evaluations."""
  x, y = run.curve(currency, metric)
  if not len(x) or not x[0] <= spend <= x[-1]:
    return None
  return float(np.interp(spend, x, y))


def share(run: Run, currency: str, spend: float) -> float | None:
  """Share of its schedule that a finished run had completed at `spend`.

  A schedule follows the currency of the run's budget.
  """
  budget = str(run.settings.get("budget", "")).partition(":")[0]
  own = "step" if budget in ("", "steps") else budget
  x, y = run.curve(currency, own)
  if not len(x) or y[-1] <= 0:
    return None
  return float(np.interp(spend, [0.0, *x], [0.0, *y]) / y[-1])


def _difference(pair_2xN: np.ndarray, level: float) -> estimates.Estimate:
  """The first row minus the second, paired by the seeds that both have."""
  both = np.isfinite(pair_2xN).all(0)
  paired = int(both.sum()) >= statistics.MIN_SEEDS
  ahead_N, behind_N = (
    row_N[both if paired else np.isfinite(row_N)] for row_N in pair_2xN
  )
  return statistics.difference(
    ahead_N[:, None], behind_N[:, None], paired=paired, level=level
  )


def _flips(
  ranking: Ranking,
  first: Ranking,
  tables: list[np.ndarray],
  arms: list[str],
) -> tuple[Flip, ...]:
  """The pairs that stand the other way round than in the first ranking."""
  flips = []
  level = 1 - 0.05 / (len(arms) * (len(arms) - 1) / 2)
  for ahead, behind in itertools.combinations(ranking.order, 2):
    if not {ahead, behind} <= first.scores.keys():
      continue
    if first.order.index(ahead) < first.order.index(behind):
      continue
    if not all(r.alike(ahead, behind) for r in (ranking, first)):
      continue
    differences = [
      _difference(table_AxN[[arms.index(ahead), arms.index(behind)]], level)
      for table_AxN in tables
    ]
    shown = None
    if all(e.low is not None and e.high is not None for e in differences):
      shown = all((e.low or 0) > 0 or (e.high or 0) < 0 for e in differences)
    flips.append(Flip(ahead, behind, shown))
  return tuple(flips)


def rankings(experiment: Experiment, metric: str | None) -> list[Ranking]:
  """Ranks the arms in each currency in which finished runs were evaluated."""
  if metric is None:
    return []
  result: list[Ranking] = []
  reference: np.ndarray | None = None
  arms = [a for a in experiment.arms if experiment.runs_of(a)]
  done = [run for run in experiment.runs if run.done]
  for currency in metrics_lib.CURRENCIES:
    spent = [run.curve(currency, metric)[0] for run in done]
    ends = [x[-1] for x in spent if len(x)]
    if not ends or len(arms) < 2:
      continue
    spend = float(min(ends))
    table_AxN = scores(
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
    sign = -1 if metrics_lib.get(metric).higher_better else 1
    ordered = dict(sorted(means.items(), key=lambda mean: sign * mean[1]))
    ranking = Ranking(
      currency, spend, ordered, _shares(experiment, arms, currency, spend)
    )
    if reference is None:
      reference = table_AxN
    else:
      flips = _flips(ranking, result[0], [table_AxN, reference], arms)
      ranking = dataclasses.replace(ranking, flips=flips)
    result.append(ranking)
  return result


def _shares(
  experiment: Experiment, arms: list[str], currency: str, spend: float
) -> dict[str, float]:
  by_arm = {}
  for arm in arms:
    shares = [share(run, currency, spend) for run in experiment.runs_of(arm)]
    known = [x for x in shares if x is not None]
    if known and len(known) == len(shares):
      by_arm[arm] = float(np.mean(known))
  return by_arm
