"""The report's tables, as blocks that each form renders."""

from __future__ import annotations

from lm_jax.report import likelihood, verdicts
from lm_jax.report import metrics as metrics_lib
from lm_jax.report import panel as panel_lib
from lm_jax.report.arms import Arm
from lm_jax.report.blocks import Block, Table, Text
from lm_jax.report.collect import Experiment
from lm_jax.report.compare import Analysis
from lm_jax.report.metrics import amount, p_value, show
from lm_jax.statistics.differences import MIN_SEEDS
from lm_jax.statistics.estimates import Estimate


def interval(name: str, estimate: Estimate | None, signed: bool = False) -> str:
  """Formats 62.1 [60.0, 64.2], in the metric's unit; only what is known."""
  if estimate is None:
    return "–"
  percent = metrics_lib.get(name).unit == "%"
  ends = estimate.low, estimate.high
  return metrics_lib.interval(estimate.value, *ends, percent, signed)


def budgets(analysis: Analysis, currencies: tuple[str, ...]) -> Table:
  currencies = tuple(
    currency
    for currency in currencies
    if currency != "branch_flops"
    or any(currency in arm.ledger for arm in analysis.arms)
  )
  labels = {"flops": "FLOPs", "branch_flops": "FLOPs of branches"}
  names = [labels.get(c, c) for c in currencies]
  head = ("arm", "runs", "parameters", *names)
  rows = []
  for arm in analysis.arms:
    row = (arm.name, f"{arm.done}/{arm.planned}", amount(arm.parameters))
    spent = [amount(arm.ledger.get(c), c) for c in currencies]
    rows.append((*row, *spent))
  return Table(head, tuple(rows))


def yardsticks(
  analysis: Analysis, names: list[str], intervals: bool = True
) -> list[Block]:
  """Makes a table with a row per arm; bits per byte with = or ≤.

  intervals: of every metric; else of the tested one only.
  """
  if not names:
    return []
  head = ["arm"]
  for name in names:
    metric = metrics_lib.get(name)
    unit = ", %" if metric.unit == "%" else ""
    head.append(metric.label + unit)
  rows, bits = [], likelihood.of_arms(analysis.experiment)
  for arm in analysis.arms:
    row = [arm.name]
    for name in names:
      estimate = arm.metrics.get(name)
      if name == analysis.metric:
        estimate = arm.total
      bare = not intervals and name != analysis.metric
      if estimate and bare:
        text = show(name, estimate.value)
      else:
        text = interval(name, estimate)
      if name == metrics_lib.BITS:
        text = bits[arm.name].text(not bare) if arm.name in bits else "–"
      row.append(text)
    rows.append(tuple(row))
  return [Table(tuple(head), tuple(rows))]


def differences(analysis: Analysis, robust: bool = False) -> list[Block]:
  """Makes the table of differences to the baseline, and what it tells.

  robust: with the probability of improvement and interquartile means.
  """
  name = analysis.metric
  if name is None or not analysis.differences:
    return []
  plan = analysis.experiment.plan
  baseline = analysis.experiment.baseline
  unit = ", points" if metrics_lib.get(name).unit == "%" else ""
  over = "items"
  if analysis.regime != "items":
    whole = any(d.items for d in analysis.differences)
    over = "seeds and items" if whole else "seeds"
  minus = f"difference to {baseline}{unit}"
  more, cells = verdicts.robust(analysis) if robust else ((), {})
  equal = ("p, equivalence",) if plan and plan.margin else ()
  head = ("arm", minus, "p, seeds", *equal, "p, items", *more, "verdict")
  rows = tuple(
    (
      d.arm,
      interval(
        name, d.seeds or d.items or _apart(analysis, d.arm), signed=True
      ),
      p_value(d.p_seeds),
      *(p_value(d.p_equivalent) for _ in equal),
      p_value(d.p_items),
      *cells.get(d.arm, ("–",) * len(more)),
      d.verdict,
    )
    for d in analysis.differences
  )
  words = (0, len(head) - 1)
  if not any(d.seeds or d.items for d in analysis.differences):
    text = f"No intervals and no tests: fewer than {MIN_SEEDS} seeds an arm."
    return [Table(head, rows, words=words), Text(text)]
  test = f"p, seeds: the same test as the interval, over {over}. "
  if analysis.regime == "items":
    test = f"p, seeds: none below {MIN_SEEDS} seeds an arm. "
  note = (
    f"Interval: over {over}, 95 % each, uncorrected. p: Holm's correction for "
    f"{len(rows)} comparison{'s' if len(rows) > 1 else ''}. {test}p, items: "
    "exact McNemar, or sign flips where there are ties or several seeds; these "
    "checkpoints only."
  )
  told = [*verdicts.notes(analysis), *((verdicts.ROBUST,) if more else ())]
  return [Table(head, rows, words=words), Text(note), *map(Text, told)]


def _apart(analysis: Analysis, name: str) -> Estimate | None:
  """Returns an arm's mean minus the baseline's, without an interval."""
  mean, baseline = (
    analysis.arm(arm).metrics.get(analysis.metric or "")
    for arm in (name, analysis.experiment.baseline)
  )
  return Estimate(mean.value - baseline.value) if mean and baseline else None


def _against_chance(arm: Arm, chance: float) -> str:
  estimate = arm.total
  if estimate is None:
    return "not measured"
  if estimate.low is None or estimate.high is None:
    return "no interval, so it can't be said"
  if estimate.low > chance:
    return "above chance by more than its interval"
  if estimate.high < chance:
    return "below chance by more than its interval"
  return "not above chance by more than its interval"


def chance(analysis: Analysis) -> list[Block]:
  name = analysis.metric
  level = metrics_lib.get(name).chance if name else None
  if name is None or level is None:
    return []
  over = ", over seeds and items" if analysis.has_items else ", over seeds"
  if analysis.regime == "items":
    over = ", over items" if analysis.has_items else ""
  rows = tuple(
    (arm.name, interval(name, arm.total), _against_chance(arm, level))
    for arm in analysis.arms
  )
  head = ("arm", f"{metrics_lib.get(name).label}{over}")
  against = f"against chance ({show(name, level)})"
  return [Table((*head, against), rows, words=(0, 2))]


def panel(analysis: Analysis) -> list[Block]:
  """Sets arms side by side in all that may differ, and marks what does."""
  known = panel_lib.fields(analysis)
  arms = [arm.name for arm in analysis.arms if arm.done]
  if len(arms) < 2:
    return []
  said = panel_lib.declared(analysis.experiment.about)
  marked = panel_lib.undeclared(known, said)
  head = ("field", *arms, "differs?")
  rows = []
  for field in known:
    mark = "not declared" if field in marked else "declared"
    values = (field.values[arm] for arm in arms)
    rows.append((field.name, *values, mark if field.differs else ""))
  text = "A field that differs was declared by the experiment, or is marked."
  if marked:
    names = ", ".join(field.name for field in marked)
    text += (
      f" Not declared: {names}. A difference between arms may come from these"
      " as well."
    )
  return [Table(head, tuple(rows)), Text(text)]


def failures(experiment: Experiment) -> list[Block]:
  rows = tuple(
    (run.name, run.status, run.error) for run in experiment.runs if not run.done
  )
  if not rows:
    return []
  return [
    Table(("run", "status", "error"), rows, words=(0, 1, 2)),
    Text("Runs that are not done count in no mean, interval or ranking."),
  ]
