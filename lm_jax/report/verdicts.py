"""The page's words and tables on what was preregistered, and robust columns."""

from __future__ import annotations

import numpy as np

from lm_jax.report import metrics as metrics_lib
from lm_jax.report import preregistered
from lm_jax.report.blocks import Block, Table, Text
from lm_jax.report.collect import Experiment
from lm_jax.report.compare import Analysis, looks_of
from lm_jax.report.preregistered import FIELDS, Plan
from lm_jax.report.subject import listed
from lm_jax.statistics import improvement
from lm_jax.statistics.differences import MIN_SEEDS
from lm_jax.statistics.estimates import Estimate

# Columns of arms with enough seeds.
_HEAD: tuple[str, ...] = ("P(improvement)", "IQM")


def effect(plan: Plan) -> str:
  """Formats the smallest effect: "1 point", "0.02 bits"; "" without one."""
  if plan.smallest_effect is None:
    return ""
  size = f"{plan.smallest_effect:g}"
  unit = metrics_lib.get(plan.primary).unit
  if unit != "%":
    return f"{size} {unit}".strip()
  return f"{size} point" if plan.smallest_effect == 1 else f"{size} points"


def sealed(experiment: Experiment) -> str:
  """Says that the primary measure is sealed; "" where all looks are done."""
  plan, seal = experiment.plan, experiment.seal
  if plan is None or seal is None or seal.whole:
    return ""
  label = metrics_lib.get(plan.primary).label
  text = f"{seal.text()[0].upper()}{seal.text()[1:]}"
  if seal.looks:
    at = plan.stops[seal.looks - 1]
    return (
      f"{text} for the look at {plan.stops[seal.looks]} seeds; {label} is of"
      f" the first {at} seeds."
    )
  return f"{text}; {label} is shown when all are."


def kind(experiment: Experiment) -> str:
  """Says whether it is confirmatory, and by which plan; "" without a plan."""
  plan = experiment.plan
  if plan is None:
    return ""
  parts = [metrics_lib.get(plan.primary).label]
  if effect(plan):
    parts.append(f"smallest effect {effect(plan)}")
  parts.append(_direction(plan))
  seeds = f"{plan.seeds} seeds"
  if len(plan.stops) > 1:
    seeds += f", looks at {listed([str(n) for n in plan.stops], 'and')}"
  parts.append(seeds)
  known = experiment.deviations()
  word = "Exploratory" if known else "Confirmatory"
  text = (
    f"{word}: {', '.join(parts)}; preregistered on {plan.date[:10]}, digest"
    f" {plan.digest[:10]}."
  )
  if known:
    text += f" Deviations: {'; '.join(known)}."
  return text


def _direction(plan: Plan) -> str:
  if plan.direction == "two-sided":
    return plan.direction
  return f"one-sided, {plan.direction} than {plan.baseline}"


def notes(analysis: Analysis) -> list[str]:
  """Explains the verdicts of a plan, for the table of differences."""
  experiment, plan = analysis.experiment, analysis.experiment.plan
  if plan is None:
    return []
  words = [
    "Better and worse: a difference is shown"
    + ("." if plan.direction == "two-sided" else f" ({_direction(plan)}).")
  ]
  if effect(plan):
    words.append(
      f"Equivalent: it is shown to be less than {effect(plan)} either way, by"
      " two one-sided tests; p, equivalence is theirs, corrected by Holm."
    )
    words.append("Inconclusive: neither is shown, which says nothing.")
  else:
    words.append(
      "Inconclusive: none is shown, which says nothing; without a smallest"
      " effect nothing can be shown to be equivalent."
    )
  looks = looks_of(experiment)
  if len(plan.stops) > 1:
    words.append(
      f"Look {len(looks)} of {len(plan.stops)} (at"
      f" {listed([str(n) for n in plan.stops], 'and')} seeds): p values hold"
      " for all looks together (Lan and DeMets, O'Brien-Fleming type);"
      " intervals are of this look alone."
    )
  return [" ".join(words)]


def preregistration(experiment: Experiment) -> list[Block]:
  """Shows the plan beside what the experiment's file states now."""
  plan = experiment.plan
  if plan is None:
    return []
  record = experiment.about[preregistered.RECORD]
  stated = experiment.about.get(preregistered.STATED) or {}
  rows = tuple(
    (field, _cell(record.get(name)), _cell(stated.get(name)))
    for name, field in FIELDS.items()
  )
  arms = list(dict.fromkeys(run.arm for run in experiment.runs))
  rows += (("arms", _cell(list(plan.arms)), _cell(arms)),)
  blocks: list[Block] = [
    Text(kind(experiment)),
    Table(("field", "preregistered", "now"), rows, words=(0, 1, 2)),
  ]
  if text := sealed(experiment):
    blocks.append(Text(text))
  return blocks


def _cell(value: object) -> str:
  if isinstance(value, list):
    return ", ".join(map(str, value)) or "–"
  return "–" if value is None else str(value)


def robust(
  analysis: Analysis,
) -> tuple[tuple[str, ...], dict[str, tuple[str, ...]]]:
  """Returns columns of the table of differences: head, and cells by arm.

  The probability that a run of the arm is better than one of the baseline, and
  the interquartile mean of the arm's seeds; nothing where no arm has MIN_SEEDS.
  """
  name, experiment = analysis.metric, analysis.experiment
  if name is None:
    return (), {}
  metric = metrics_lib.get(name)
  sign = -1.0 if metric.higher_better is False else 1.0

  def scores(arm: str) -> np.ndarray:
    runs = experiment.with_metric(name, arm)
    return np.array([[run.metrics[name]] for run in runs]).reshape(-1, 1)

  base_Nx1 = scores(experiment.baseline)
  cells: dict[str, tuple[str, ...]] = {}
  for difference in analysis.differences:
    arm_Nx1 = scores(difference.arm)
    if min(len(arm_Nx1), len(base_Nx1)) < MIN_SEEDS:
      continue
    chance = improvement.improvement(sign * arm_Nx1, sign * base_Nx1)
    mean = improvement.robust_mean(arm_Nx1)
    cells[difference.arm] = (_percent(chance), _number(name, mean))
  return (_HEAD if cells else ()), cells


def _percent(estimate: Estimate) -> str:
  return metrics_lib.interval(
    estimate.value, estimate.low, estimate.high, percent=True
  )


def _number(name: str, estimate: Estimate) -> str:
  percent = metrics_lib.get(name).unit == "%"
  ends = estimate.low, estimate.high
  return metrics_lib.interval(estimate.value, *ends, percent)


ROBUST = (
  "P(improvement): the chance, in %, that a run of the arm is better than one"
  " of the baseline, by their seeds (Mann and Whitney); IQM: the mean of the"
  " middle half of the arm's seeds. Stratified bootstrap, never within"
  " Newcombe's interval (Agarwal et al. 2021); IQM has none below"
  f" {improvement.MIN_RUNS} seeds."
)
