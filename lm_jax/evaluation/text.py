"""Results as lines for a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lm_jax.evaluation import parts
from lm_jax.evaluation.results import HEAD, OWN, PROMPT, Row
from lm_jax.report import metrics as metrics_lib
from lm_jax.support import monospace


def share(row: Row) -> bool:
  """Returns whether a number is shown in percent."""
  return metrics_lib.share(row.metric, row.value, row.low, row.high)


def number(row: Row, value: float | None) -> str:
  """A value of a row's metric as it is shown; "–" for none."""
  return metrics_lib.number(value, share(row))


def interval(row: Row) -> str:
  """Formats 47.0 [37.0, 57.0]."""
  return metrics_lib.interval(row.value, row.low, row.high, share(row))


def with_unit(row: Row) -> str:
  """Formats 47.0 [37.0, 57.0] %."""
  return interval(row) + (" %" if share(row) else "")


def how(row: Row) -> str:
  """Says how a number was measured, in a few words."""
  if row.way == OWN:
    return row.scoring or "no scores"
  if row.way == PROMPT:
    text = f"template {row.template}"
    if row.samples is not None:
      return f"{text}, written, {row.samples} for each prompt"
    return f"{text}, {row.scoring}, correction {row.correction}"
  return f"fine-tuned: {row.scoring}"


def head(rows: Sequence[Row]) -> list[str]:
  """The lines above a task's numbers.

  Args:
    rows: of the task; those of a prompt may be of its first number of shots.
  """
  first = next(row for row in rows if row.headline)
  counted = next((row.items for row in rows if row.items is not None), None)
  items = "" if counted is None else f"{counted} items, "
  lines = [f"{first.task}: {items}{how(first)}"]
  if first.way != PROMPT:
    return lines
  guessed = ""
  if first.chance is not None and first.commonest is not None:
    guessed = f"chance {number(first, first.chance)}, commonest label"
    guessed += f" {number(first, first.commonest)}; "
  return [
    *lines,
    f"  {guessed}intervals: 95 %, over items, and over draws where there are"
    " several",
    "  shots  draws  accuracy, %",
  ]


def body(rows: Sequence[Row]) -> list[str]:
  """A task's numbers; of a prompt a line for each number of shots."""
  if rows[0].way == PROMPT:
    shots = dict.fromkeys(row.shots for row in rows)
    return [_shots([r for r in rows if r.shots == count]) for count in shots]
  whole = [row for row in rows if not row.part]
  lines = table([(row.metric, with_unit(row) + _lost(row)) for row in whole])
  levels = parts.by_level(rows)
  shown = parts.table(levels)
  for one in levels:
    if one is not shown:
      lines.append(f"  {parts.line(one)}")
  if shown is not None:
    lines.append(f"  by {shown.level}:")
    cells = [
      (shown.name(row), f"{row.items or 0:6,} items  {parts.shown_value(row)}")
      for row in shown.rows
    ]
    lines += [f"  {line}" for line in table(cells)]
  return lines


def table(cells: Sequence[tuple[str, str]]) -> list[str]:
  """Names and what stands behind them, in two columns."""
  width = max((monospace.width(name) for name, _ in cells), default=0)
  return [f"  {monospace.left(name, width)}  {what}" for name, what in cells]


def _lost(row: Row) -> str:
  return f"  ({100 * row.cut:.0f} % of the items were cut)" if row.cut else ""


def _shots(rows: Sequence[Row]) -> str:
  """The line of one number of shots."""
  first, *rest = sorted(rows, key=lambda row: not row.headline)
  value, _, ends = interval(first).partition(" ")
  text = f"  {first.shots:5}  {first.draws:5}  {value:>5} {ends}".rstrip()
  facts = [
    f"{row.correction} {number(row, row.value)}"
    for row in rest
    if row.metric == first.metric
  ]
  facts += [
    f"{row.metric} {number(row, row.value)}"
    for row in rest
    if row.metric != first.metric and row.correction == first.correction
  ]
  if first.shots_dropped:
    facts.append(f"{100 * first.shots_dropped:.0f} % of the shots did not fit")
  if first.cut:
    facts.append(f"{100 * first.cut:.0f} % of the items were cut")
  return text + (f"  ({', '.join(facts)})" if facts else "")


def of_result(result: Mapping[str, Any], task: str = "") -> list[str]:
  """The metrics of a run's result.json, as `evaluate` shows them.

  Args:
    result: what the file holds.
    task: that the run was fine-tuned for.
  """
  from lm_jax.evaluation.results import of_measure
  from lm_jax.tasks.base import Measure

  metrics = dict(sorted(result.get("metrics", {}).items()))
  measure = Measure(metrics, result.get("items") or {})
  rows = of_measure(task, measure, HEAD if task else OWN, "").rows
  return table([(row.metric, with_unit(row)) for row in rows])
