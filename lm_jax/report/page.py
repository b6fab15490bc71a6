"""The report of an experiment as a whole."""

from __future__ import annotations

from lm_jax.report import (
  alarms,
  disagreements,
  joined_page,
  likelihood,
  phases,
  phenomena,
  prose,
  ranking_table,
  scaling,
  sweep_tables,
  sweeps,
  tables,
  tuning,
  verdicts,
)
from lm_jax.report import metrics as metrics_lib
from lm_jax.report.blocks import (
  Arms,
  Block,
  Card,
  Code,
  Contents,
  Heading,
  Image,
  Text,
)
from lm_jax.report.collect import Experiment
from lm_jax.report.compare import Analysis
from lm_jax.report.ranking import Ranking

_JOINED = "What differs between the experiments"


def _line(value: object) -> str:
  return " ".join(str(value or "").split())


def _opening(
  analysis: Analysis, card: Card, spread: list[Block]
) -> list[Block]:
  experiment = analysis.experiment
  told = f"Baseline: {experiment.baseline}. {prose.intervals(analysis)}"
  if spread and len(analysis.arms) == 1:
    told = "One arm: the table of the spread is the answer."
  blocks: list[Block] = [
    Heading(_line(experiment.subject.title)),
    card,
    Text(told),
  ]
  if sealed := verdicts.sealed(experiment):
    blocks.append(Text(sealed))
  if warnings := alarms.sentences(analysis):
    blocks.append(Text(f"Alarms: {' '.join(warnings)}"))
  return blocks


def _measured(analysis: Analysis) -> list[str]:
  measured = {name for arm in analysis.arms for name in arm.metrics}
  known = [name for name in metrics_lib.METRICS if name in measured]
  return known + sorted(measured - set(known))


def yardsticks(analysis: Analysis) -> list[str]:
  """Lists the metrics of the main table; parts of pairs have their own.

  Exact bits per byte and bounds share a column.
  """
  names = (
    metrics_lib.BITS if name == metrics_lib.BOUND else name
    for name in _measured(analysis)
    if (name != metrics_lib.OWN_LOSS or name == analysis.metric)
    and not name.startswith(phenomena.PARTS)
  )
  return list(dict.fromkeys(names))


def _section(title: str, blocks: list[Block]) -> list[Block]:
  return [Heading(title), *blocks] if blocks else []


def summary(
  analysis: Analysis,
  card: Card,
  found: list[Ranking],
  spread: list[Block],
) -> list[Block]:
  """Builds the blocks that the terminal shows."""
  experiment = analysis.experiment
  spent = ("steps", "tokens", "epochs", "targets", "flops")
  return [
    *_opening(analysis, card, spread),
    *_section("The sweep", sweep_tables.blocks(sweeps.read(analysis))),
    *_section(_JOINED, joined_page.blocks(experiment)),
    tables.budgets(analysis, (*spent, "branch_flops", "seconds")),
    Text(prose.SPENT),
    *tables.yardsticks(analysis, yardsticks(analysis), intervals=False),
    *map(Text, prose.notes(analysis)),
    *tables.differences(analysis),
    *tables.chance(analysis),
    *_section("Where the spread comes from", spread),
    *_section("Ranking at equal spend", ranking_table.ranking(analysis, found)),
    *_section("Not done", tables.failures(analysis.experiment)),
  ]


def _over(analysis: Analysis) -> str:
  """Names what the intervals of the main table range over."""
  name = analysis.metric or ""
  if analysis.has_items:
    return f"seeds, and over items too for {metrics_lib.get(name).label}"
  return "seeds"


def build(
  analysis: Analysis,
  card: Card,
  found: list[Ranking],
  figures: list[Image],
  spread: list[Block],
  runs: list[Block],
) -> list[Block]:
  """Builds the blocks of the pages, from the answer down to single runs.

  Args:
    figures: that could be drawn, in any order.
    spread: the table of its causes.
    runs: every run by itself (`run_details`).
  """
  experiment = analysis.experiment
  by_stem = {figure.stem: figure for figure in figures}

  def figure(*stems: str) -> list[Block]:
    return [by_stem[stem] for stem in stems if stem in by_stem]

  reached = tables.yardsticks(analysis, yardsticks(analysis))
  if reached:
    if analysis.regime != "items":
      reached.append(Text(f"Intervals: 95 % over {_over(analysis)}."))
    reached += map(Text, prose.notes(analysis))
  switches: list[Block] = []
  if len(experiment.arms) > 1:
    switches = [Arms(experiment.arms)]
  errors = [
    Code(run.traceback.strip(), f"Traceback of {run.name}")
    for run in experiment.runs
    if run.traceback and not run.done
  ]
  return [
    *_opening(analysis, card, spread),
    Contents(),
    *switches,
    *_section(_JOINED, joined_page.blocks(experiment)),
    *_section(
      "The sweep",
      [
        *figure("sweep_loss", "sweep", "sweep_map"),
        *sweep_tables.blocks(sweeps.read(analysis)),
      ],
    ),
    *_section(
      "Difference to the baseline",
      [*figure("differences"), *tables.differences(analysis, robust=True)],
    ),
    *_section("Preregistration", verdicts.preregistration(experiment)),
    *_section("What each arm reached", reached),
    *_section("Ranking at equal spend", ranking_table.ranking(analysis, found)),
    *_section("Across sizes and budgets", scaling.blocks(analysis)),
    *_section("Learning curves", figure("curves_flops", "curves_tokens")),
    *_section("By phenomenon", phenomena.blocks(analysis, _measured(analysis))),
    *_section("Where arms differ", disagreements.blocks(analysis)),
    *_section("Tuning", [*tuning.blocks(experiment.about), *figure("tuning")]),
    *_section("Where the spread comes from", spread),
    *_section("Bits per byte", likelihood.blocks(analysis)),
    *_section(
      "By each objective that trained it", phases.by_objective(analysis)
    ),
    *_section("Above chance?", tables.chance(analysis)),
    *_section(
      "Budgets, a run of each arm",
      [tables.budgets(analysis, metrics_lib.LEDGER), Text(prose.SPENT)],
    ),
    *_section("What else differs", tables.panel(analysis)),
    *_section("Each arm's own loss", figure("validation_loss")),
    *_section(
      "Runs that are not done", [*tables.failures(experiment), *errors]
    ),
    *_section("How to read this", [*map(Text, prose.reading(analysis))]),
    *_section("Every run", runs),
    *_section("How it was made", _made(experiment)),
  ]


def _made(experiment: Experiment) -> list[Block]:
  """Shows the command, the experiment's own words, and the versions."""
  about = experiment.about
  made: list[Block] = []
  if about.get("command"):
    made.append(Code(str(about["command"]), "Command"))
  words = experiment.subject.docstring.strip()
  if words and words != experiment.subject.question:
    title = "The experiment"
    if changed := about.get("changed"):
      title += f", which ran here with {_line(' '.join(map(str, changed)))}"
    made.append(Code(words, title))
  versions = about.get("versions")
  if isinstance(versions, dict) and versions:
    text = ", ".join(f"{k} {v}" for k, v in versions.items())
    made.append(Text(f"Versions: {text}."))
  return made
