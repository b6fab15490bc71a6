"""Each arm against the baseline: estimates, corrected tests, verdicts.

One metric is tested, the first of METRICS that two objectives can be compared
on and that was measured. One test decides: `differences.difference`, which
counts other seeds and other items both.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from lm_jax.report import metrics as metrics_lib
from lm_jax.report import tuning
from lm_jax.report.arms import (
  Arm,
  estimates_of,
  grid_of,
  is_fraction,
  item_grid,
  regime_of,
  summarize,
  tested,
)
from lm_jax.report.collect import Experiment
from lm_jax.report.floor import items_of as items_of
from lm_jax.report.run import Run
from lm_jax.statistics import differences as differences_lib
from lm_jax.statistics import equivalence
from lm_jax.statistics import items as items_lib
from lm_jax.statistics.differences import MIN_SEEDS, Scatter
from lm_jax.statistics.equivalence import Comparison
from lm_jax.statistics.estimates import Array, Estimate

ALPHA = 0.05


@dataclasses.dataclass(frozen=True)
class Difference:
  """Arm minus baseline in the tested metric; p values corrected by Holm.

  seeds: for other seeds, and other items where each has a score; None below
    MIN_SEEDS seeds.
  wide: the same at the level at which Holm's correction decided on this arm,
    so that it leaves 0 out exactly where there is a claim.
  items: over items, these checkpoints only.
  claim: "better" or "worse" where that may be said of the objective, else "";
    "equivalent", too, where the experiment was preregistered.
  p_equivalent: of two one-sided tests at its smallest effect, corrected.
  """

  arm: str
  seeds: Estimate | None
  wide: Estimate | None
  items: Estimate | None
  p_seeds: float | None = None
  p_items: float | None = None
  claim: str = ""
  verdict: str = ""
  p_equivalent: float | None = None


@dataclasses.dataclass(frozen=True)
class Analysis:
  """Everything that tables and figures show.

  regime: "seeds" where some arm has MIN_SEEDS finished seeds, else "items".
  """

  experiment: Experiment
  metric: str | None
  regime: str
  arms: tuple[Arm, ...]
  differences: tuple[Difference, ...]
  scattering: tuple[Scatter, ...] = ()

  def arm(self, name: str) -> Arm:
    return next(arm for arm in self.arms if arm.name == name)

  @property
  def has_items(self) -> bool:
    """Returns whether some arm has a score for each item."""
    return any(arm.items for arm in self.arms)


@dataclasses.dataclass(frozen=True)
class Pair:
  """Two arms' finished runs of the tested metric; the second is the baseline.

  Paired by seed where they share MIN_SEEDS seeds or have no more to compare;
  else every run of both counts, unpaired.
  """

  name: str
  metric: str
  sides: tuple[list[Run], list[Run]]
  paired: bool

  @classmethod
  def from_runs(
    cls, experiment: Experiment, metric: str, name: str, other: str
  ) -> Pair:
    sides = [experiment.with_metric(metric, arm) for arm in (name, other)]
    shared = {r.cell for r in sides[0]} & {r.cell for r in sides[1]}
    enough = min(map(len, sides)) >= MIN_SEEDS
    paired = len(shared) >= MIN_SEEDS or (bool(shared) and not enough)
    if paired:
      sides = [[r for r in side if r.cell in shared] for side in sides]
    return cls(name, metric, (sides[0], sides[1]), paired)

  def over_items(self, length: int) -> Estimate | None:
    arm_NxI, base_NxI = (
      item_grid(side, self.metric, length) for side in self.sides
    )
    if arm_NxI is None or base_NxI is None:
      return None
    return items_lib.item_difference(arm_NxI.mean(0), base_NxI.mean(0))

  def over_seeds(self, level: float) -> Estimate | None:
    if min(map(len, self.sides)) < MIN_SEEDS:
      return None
    return differences_lib.difference(
      *self._grids(),
      paired=self.paired,
      level=level,
      fraction=is_fraction(self.metric),
    )

  def comparison(self) -> Comparison:
    """Returns the difference with the limits of its test, if it has one."""
    if not all(self.sides):
      return Comparison(0.0)
    arm_NxI, base_NxI = self._grids()
    value = float(arm_NxI.mean() - base_NxI.mean())
    estimate = self.over_seeds(1 - ALPHA)
    if estimate is None or estimate.low is None:
      return Comparison(value)
    fraction = is_fraction(self.metric)
    limits = differences_lib.difference_limits(
      arm_NxI, base_NxI, self.paired, fraction
    )
    return Comparison(value, limits)

  def _grids(self) -> tuple[Array, Array]:
    arm_NxI, base_NxI = (grid_of(side, self.metric) for side in self.sides)
    if arm_NxI.shape[1] == base_NxI.shape[1]:
      return arm_NxI, base_NxI
    arm_Nx1, base_Nx1 = (  # not the same items
      np.array([[run.metrics[self.metric]] for run in side])
      for side in self.sides
    )
    return arm_Nx1, base_Nx1


def _differences(
  experiment: Experiment, metric: str, names: list[str], length: int
) -> list[Difference]:
  """Estimates with p values after Holm's correction, for each of `names`."""
  baseline = experiment.baseline
  pairs = [Pair.from_runs(experiment, metric, n, baseline) for n in names]
  over_seeds = [pair.over_seeds(1 - ALPHA) for pair in pairs]
  over_items = [pair.over_items(length) for pair in pairs]
  p_seeds = items_lib.holm([e.p if e else None for e in over_seeds])
  p_items = items_lib.holm([e.p if e else None for e in over_items])
  levels = items_lib.holm_alphas(
    [e.p if e else None for e in over_seeds], ALPHA
  )
  return [
    Difference(
      pair.name,
      seeds,
      pair.over_seeds(1 - alpha) if alpha else seeds,
      items,
      p_seeds=p,
      p_items=q,
    )
    for pair, seeds, items, p, q, alpha in zip(
      pairs, over_seeds, over_items, p_seeds, p_items, levels, strict=True
    )
  ]


def side(estimate: Estimate | None, p: float | None, metric: str) -> str | None:
  """Returns the claim that a corrected p value allows.

  "better" or "worse"; "" where it allows none, None where there is no test.
  """
  if estimate is None or p is None:
    return None
  if p >= ALPHA:
    return ""
  # A loss or bits per byte is better where it is less.
  less = metrics_lib.get(metric).higher_better is False
  return "better" if (estimate.value > 0) != less else "worse"


def _judge(difference: Difference, metric: str, baseline: str) -> Difference:
  """Adds the claim and the verdict; both follow Holm's correction."""
  seeds = side(difference.seeds, difference.p_seeds, metric)
  items = side(difference.items, difference.p_items, metric)
  only = f"these checkpoints only: {items} than {baseline}"
  if seeds:
    verdict = f"{seeds} than {baseline}"
  elif seeds == "":
    verdict = f"not shown to differ from {baseline}"
    verdict += f"; {only}" if items else ""
  elif difference.seeds is not None:
    verdict = "no test possible: the seeds agree to the last bit"
  elif items is None:
    verdict = f"no test: fewer than {MIN_SEEDS} seeds"
  else:
    verdict = only if items else "not shown between these checkpoints"
  return dataclasses.replace(difference, claim=seeds or "", verdict=verdict)


def looks_of(experiment: Experiment) -> tuple[int, ...]:
  """Returns the numbers of seeds of the looks that are complete."""
  plan, seal = experiment.plan, experiment.seal
  return plan.stops[: seal.looks] if plan and seal else ()


def _by_plan(
  experiment: Experiment, metric: str, tests: Sequence[Difference]
) -> list[Difference]:
  """Adds claims and verdicts by the plan that was preregistered.

  Looks that are complete count, each with its first seeds, and all that were
  planned share one error rate (lm_jax/statistics/sequential.py).
  """
  plan = experiment.plan
  assert plan is not None
  looks = looks_of(experiment)
  several = len(plan.stops) > 1
  parts = [experiment.first_seeds(n) for n in looks] if several else []
  pairs = [
    [
      Pair.from_runs(part, metric, test.arm, experiment.baseline)
      for part in parts or [experiment]
    ]
    for test in tests
  ]
  verdicts = equivalence.verdicts(
    [[pair.comparison() for pair in each] for each in pairs],
    plan.margin,
    metrics_lib.get(metric).higher_better is not False,
    plan.direction,
    plan.stops if several else (1,),
    ALPHA,
  )
  return [
    dataclasses.replace(
      test,
      p_seeds=verdict.p,
      p_equivalent=verdict.p_equivalence,
      wide=each[-1].over_seeds(1 - verdict.level)
      if verdict.level
      else test.seeds,
      claim="" if verdict.kind == "inconclusive" else verdict.kind,
      verdict=_in_words(verdict, experiment.baseline),
    )
    for test, each, verdict in zip(tests, pairs, verdicts, strict=True)
  ]


def _barred(
  difference: Difference, barred: Mapping[str, str], baseline: str
) -> Difference:
  """Takes the claim from a comparison of an arm whose tuning bars it."""
  for arm in (difference.arm, baseline):
    if arm in barred:
      verdict = f"not ranked: {arm}'s tuning ended at a {barred[arm]}"
      return dataclasses.replace(difference, claim="", verdict=verdict)
  return difference


def _in_words(verdict: equivalence.Verdict, baseline: str) -> str:
  if verdict.kind in ("better", "worse"):
    return f"{verdict.kind} than {baseline}"
  if verdict.kind == "equivalent":
    side = {1: ", though above it", -1: ", though below it", 0: ""}
    return f"equivalent to {baseline}{side[verdict.sign]}"
  if verdict.p is None:
    return f"no test: fewer than {MIN_SEEDS} seeds, or seeds without a spread"
  return "inconclusive"


def analyse(experiment: Experiment) -> Analysis:
  """Computes everything that tables and figures show, once."""
  metric = tested(experiment)
  regime = regime_of(experiment, metric)
  estimates = {
    name: estimates_of(experiment, name)
    for name in experiment.measured
    if metrics_lib.is_known(name)
  }
  length = items_of(experiment, metric)
  arms = tuple(
    summarize(experiment, name, metric, estimates, length)
    for name in experiment.arms
  )
  if metric is None:
    return Analysis(experiment, None, regime, arms, ())
  have = [arm for arm in experiment.arms if arm in estimates[metric]]
  others = [arm for arm in have if arm != experiment.baseline]
  if experiment.baseline not in have:
    others = []
  tests = _differences(experiment, metric, others, length)
  if experiment.plan is None:
    differences = [_judge(d, metric, experiment.baseline) for d in tests]
  else:
    differences = _by_plan(experiment, metric, tests)
  barred = tuning.unranked(experiment.about)
  differences = [
    _barred(one, barred, experiment.baseline) for one in differences
  ]
  return Analysis(
    experiment,
    metric,
    regime,
    arms,
    tuple(differences),
    differences_lib.scattering(
      {
        arm: np.array(
          [run.metrics[metric] for run in experiment.with_metric(metric, arm)]
        )
        for arm in have
      }
    ),
  )
