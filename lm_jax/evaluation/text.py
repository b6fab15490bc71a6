"""Results as lines for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from lm_jax.evaluation.results import OWN, PROMPT, Row
from lm_jax.report import metrics as metrics_lib


def share(row: Row) -> bool:
  """Is it shown in percent?

  What METRICS says; of a number that it does not know, where its interval is
  one of a share.
  """
  if metrics_lib.of(row.metric).unit == "%":
    return True
  if row.metric in metrics_lib.METRICS or row.low is None or row.high is None:
    return False
  return 0 <= row.low <= row.value <= row.high <= 1


def number(row: Row, value: float | None) -> str:
  """A value of a row's metric as it is shown; "–" for none."""
  if value is None:
    return "–"
  return f"{100 * value:.1f}" if share(row) else f"{value:.4g}"


def interval(row: Row) -> str:
  """As in 47.0 [37.0, 57.0]."""
  text = number(row, row.value)
  if row.low is not None and row.high is not None:
    text += f" [{number(row, row.low)}, {number(row, row.high)}]"
  return text


def how(row: Row) -> str:
  """How a number was measured, in a few words."""
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
    guessed = f"chance {100 * first.chance:.1f}, commonest label"
    guessed += f" {100 * first.commonest:.1f}; "
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
  width = max(len(row.metric) for row in rows)
  lines = []
  for row in rows:
    unit = " %" if share(row) else ""
    line = f"  {row.metric:{width}}  {interval(row)}{unit}"
    lines.append(line + _lost(row))
  return lines


def _lost(row: Row) -> str:
  return f"  ({100 * row.cut:.0f} % of the items were cut)" if row.cut else ""


def _shots(rows: Sequence[Row]) -> str:
  """The line of one number of shots."""
  first, *rest = sorted(rows, key=lambda row: not row.headline)
  text = f"  {first.shots:5}  {first.draws:5}  {100 * first.value:5.1f}"
  if first.low is not None and first.high is not None:
    text += f" [{100 * first.low:.1f}, {100 * first.high:.1f}]"
  told = [
    f"{row.correction} {100 * row.value:.1f}"
    for row in rest
    if row.metric == first.metric
  ]
  told += [
    f"{row.metric} {row.value:.3f}"
    for row in rest
    if row.metric != first.metric and row.correction == first.correction
  ]
  if first.shots_dropped:
    told.append(f"{100 * first.shots_dropped:.0f} % of the shots did not fit")
  if first.cut:
    told.append(f"{100 * first.cut:.0f} % of the items were cut")
  return text + (f"  ({', '.join(told)})" if told else "")
