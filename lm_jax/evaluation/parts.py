"""Numbers of parts of a task's items: which of them are worth showing.

results.json and results.csv have all of them, with their numbers of items.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from lm_jax.evaluation.results import Row
from lm_jax.report import metrics as metrics_lib

FEWEST = 20  # items of a part, below which its number tells nothing
MOST = 20  # parts in a table


class Parts(NamedTuple):
  """The parts of a task's items by one level: blimp's terms.

  task, level: their names.
  rows: one for each part, in their order.
  """

  task: str
  level: str
  rows: tuple[Row, ...]

  @property
  def large_enough(self) -> list[Row]:
    """The parts that have enough items."""
    return [row for row in self.rows if (row.items or 0) >= FEWEST]

  def name(self, row: Row) -> str:
    """Returns the name of a part."""
    return row.metric.removeprefix(f"{self.task}/{self.level}/")


def by_level(rows: Sequence[Row]) -> list[Parts]:
  """Groups the parts among a task's rows by level."""
  rows_by_level: dict[str, list[Row]] = {}
  for row in rows:
    if row.part:
      rows_by_level.setdefault(row.part, []).append(row)
  return [
    Parts(own[0].task, level, tuple(own))
    for level, own in rows_by_level.items()
  ]


def table(found: Sequence[Parts]) -> Parts | None:
  """Picks the finest level that a table can show, if there is one."""
  fit = [one for one in found if one.large_enough and len(one.rows) <= MOST]
  return max(fit, key=lambda one: len(one.rows), default=None)


def line(one: Parts) -> str:
  """Summarizes a level in a line: its parts, their items, their range."""
  counts = sorted({row.items or 0 for row in one.rows})
  items = f"{counts[0]:,}" + (f" to {counts[-1]:,}" if counts[1:] else "")
  start = f"by {one.level}: {len(one.rows)} of {items} items"
  if not one.large_enough:
    return f"{start} each, too few for numbers ({FEWEST} at least)"
  ordered = sorted(one.large_enough, key=lambda row: row.value)
  low, high = ordered[0], ordered[-1]
  few = len(one.rows) - len(one.large_enough)
  left = f", but for {few} of fewer than {FEWEST}" if few else ""
  if len(one.large_enough) == 1:
    number = metrics_lib.number(low.value, percent=True)
    return f"{start}{left}: {number} ({one.name(low)})"
  ends = [
    f"{metrics_lib.number(row.value, percent=True)} ({one.name(row)})"
    for row in (low, high)
  ]
  return f"{start} each{left}, from {' to '.join(ends)}; see --format=csv"


def shown_value(row: Row) -> str:
  """Formats the number of a part, or says that its items are too few."""
  if (row.items or 0) < FEWEST:
    return f"too few for a number ({FEWEST} at least)"
  return f"{metrics_lib.interval(row.value, row.low, row.high, True)} %"
