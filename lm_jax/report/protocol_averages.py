"""Averages of GLUE and SuperGLUE in the report of a protocol."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from lm_jax.report import benchmarks, statistics
from lm_jax.report.benchmarks import Average
from lm_jax.report.blocks import Block, Heading, Table, Text


class HasMetrics(Protocol):
  """A model on a task by a method: lm_jax.report.protocol.Entry.

  facts: "metrics" are values by "task/metric" of each seed.
  """

  @property
  def arm(self) -> str: ...

  @property
  def method(self) -> str: ...

  @property
  def facts(self) -> Mapping[str, Any]: ...


def blocks_of(entries: Sequence[HasMetrics]) -> list[Block]:
  """A table for each benchmark of which there are two tasks or more."""
  by_benchmark: dict[str, list[tuple[str, str, list[Average]]]] = {}
  for arm, method in dict.fromkeys((e.arm, e.method) for e in entries):
    own = [e for e in entries if (e.arm, e.method) == (arm, method)]
    for name, values in _by_benchmark(own).items():
      by_benchmark.setdefault(name, []).append((arm, method, values))
  content: list[Block] = []
  for name, rows in by_benchmark.items():
    content += [Heading(name), *_table(rows)]
  return content


def _by_benchmark(
  entries: Sequence[HasMetrics],
) -> dict[str, list[Average]]:
  """Groups the averages of one model and method by benchmark, a seed each.

  Seeds that a task lacks are left out; one without any is missing.
  """
  several = [e.facts["metrics"] for e in entries if e.facts["metrics"]]
  by_benchmark: dict[str, list[Average]] = {}
  for seed in range(min(map(len, several), default=0)):
    values: dict[str, float] = {}
    for metrics in several:
      values |= metrics[seed]
    for average in benchmarks.averages(values):
      by_benchmark.setdefault(average.name, []).append(average)
  return by_benchmark


def _table(rows: Sequence[tuple[str, str, list[Average]]]) -> list[Block]:
  content: list[Block] = []
  whole = [row for row in rows if all(a.value is not None for a in row[2])]
  shown = []
  for method in dict.fromkeys(method for _, method, _ in whole):
    own = [row for row in whole if row[1] == method]
    for arm, _, averages in own:
      scores_Nx1 = np.array([[average.value] for average in averages])
      estimate = statistics.mean(scores_Nx1)
      text = f"{100 * estimate.value:.1f}"
      if estimate.low is not None and estimate.high is not None:
        text += f" [{100 * estimate.low:.1f}, {100 * estimate.high:.1f}]"
      shown.append((arm, method, text, str(len(averages))))
  if shown:
    head = ("model", "method", "mean over tasks", "seeds")
    content.append(Table(head, tuple(shown), words=(0, 1)))
  content += [
    Text(benchmarks.sentence(averages[0], f" of {arm}, {method}"))
    for arm, method, averages in rows
    if averages[0].value is None
  ]
  return content
