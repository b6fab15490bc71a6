"""Averages of GLUE and SuperGLUE in the report of a protocol."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from lm_jax.report import benchmarks
from lm_jax.report.benchmarks import Average
from lm_jax.report.blocks import Block, Heading, Table, Text
from lm_jax.report.metrics import interval
from lm_jax.statistics import differences


def blocks_of(entries: Sequence[Any]) -> list[Block]:
  """A table for each benchmark of which there are two tasks or more.

  entries: of lm_jax.report.protocol.
  """
  by_benchmark: dict[str, list[tuple[str, str, list[Average]]]] = {}
  for arm, method in dict.fromkeys((e.arm, e.method) for e in entries):
    own = [e for e in entries if (e.arm, e.method) == (arm, method)]
    for name, values in _by_benchmark(own).items():
      by_benchmark.setdefault(name, []).append((arm, method, values))
  content: list[Block] = []
  for name, rows in by_benchmark.items():
    content += [Heading(name), *_table(rows)]
  return content


def _by_benchmark(entries: Sequence[Any]) -> dict[str, list[Average]]:
  """Groups the averages of one model and method by benchmark, a seed each.

  Seeds that a task lacks are left out; one without any is missing.
  """
  by_benchmark: dict[str, list[Average]] = {}
  for of_seed in zip(*(e.results for e in entries if e.results), strict=False):
    values: dict[str, float] = {}
    for result in of_seed:
      values |= result.metrics
    for average in benchmarks.averages(values):
      by_benchmark.setdefault(average.name, []).append(average)
  return by_benchmark


def _table(rows: Sequence[tuple[str, str, list[Average]]]) -> list[Block]:
  content: list[Block] = []
  whole = [row for row in rows if all(a.value is not None for a in row[2])]
  methods = list(dict.fromkeys(method for _, method, _ in whole))
  shown = []
  for arm, method, averages in sorted(
    whole, key=lambda row: methods.index(row[1])
  ):
    scores_Nx1 = np.array([[average.value] for average in averages])
    estimate = differences.mean(scores_Nx1)
    text = interval(estimate.value, estimate.low, estimate.high, True)
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
