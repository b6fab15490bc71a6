"""Averages of benchmarks over the tasks of an evaluation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from lm_jax.report import benchmarks
from lm_jax.report.benchmarks import Average

if TYPE_CHECKING:
  from lm_jax.evaluation.results import Row


def by_shots(rows: Sequence[Row]) -> list[tuple[int | None, Average]]:
  """Averages by number of shots; None where no task was prompted.

  A task measured without a prompt (ReCoRD) counts as one of no shots.
  """
  counts: list[int | None] = [
    *dict.fromkeys(row.shots for row in rows if row.shots is not None)
  ]
  return [
    (count, average)
    for count in counts or [None]
    for average in benchmarks.averages(
      _values(rows, count),
      {row.task for row in rows if row.constant and _is_of(row, count)},
    )
  ]


def _values(rows: Sequence[Row], shots: int | None) -> dict[str, float]:
  """Returns values by task and metric, of one number of shots."""
  values = {}
  for row in rows:
    if row.headline and _is_of(row, shots):
      own = row.metric.removeprefix(f"{row.task}/")
      values[f"{row.task}/{own}"] = row.value
  return values


def _is_of(row: Row, shots: int | None) -> bool:
  return row.shots == shots or not (row.shots or shots)


def lines(rows: Sequence[Row]) -> list[str]:
  """Writes averages as lines for a terminal or a page."""
  return [
    benchmarks.sentence(average, "" if shots is None else f", {shots} shots")
    for shots, average in by_shots(rows)
  ]
