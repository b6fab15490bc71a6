"""A sweep in words and tables: the best values, and all of them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from lm_jax.report import metrics as metrics_lib
from lm_jax.report import tables
from lm_jax.report.blocks import Block, Table, Text
from lm_jax.report.sweeps import Factor, Line, Sweep, shared_metric

_BEST = " *"
_NOTE = (
  "* the best mean of its {}. It is chosen by the same runs that it is measured"
  " by, so that it flatters itself."
)


def sentence(sweep: Sweep, line: Line) -> str:
  """Says at which values a line is best; "" of a line of one point."""
  point = sweep.best(line, line.metric)
  if point is None or line.metric is None:
    return ""
  estimate = sweep.estimate(line.arms[point], line.metric)
  label = metrics_lib.get(line.metric).label
  unit = " %" if metrics_lib.get(line.metric).unit == "%" else ""
  told = (
    f"{line.name} is best at {at(sweep.factors, point)}:"
    f" {label} {tables.interval(line.metric, estimate)}{unit}"
  )
  edges = [factor.label for factor in sweep.edges(line, point)]
  if edges:
    told += (
      f"; that is at the edge of the range of {' and '.join(edges)}, so that a"
      " better value may lie beyond it"
    )
  return f"{told}."


def at(factors: tuple[Factor, ...], point: tuple[int, ...]) -> str:
  """A point as flags have it: optimizer.learning_rate=0.003, batch_size=16."""
  return ", ".join(
    f"{path}={text}"
    for factor, place in zip(factors, point, strict=True)
    for path, text in zip(factor.paths, factor.values[place], strict=True)
  )


def answer(sweep: Sweep | None) -> str:
  """Names the best values of each line; "" where nothing was asked to be swept.

  Another experiment, whose arms happen to be a sweep, has its own answer.
  """
  if sweep is None or not sweep.analysis.experiment.about.get("sweeps"):
    return ""
  return " ".join(sentences(sweep))


def sentences(sweep: Sweep) -> list[str]:
  """Names the best values of each line."""
  return [text for line in sweep.lines if (text := sentence(sweep, line))]


def blocks(sweep: Sweep | None) -> list[Block]:
  """Shows every value: a table of one option, or matrices of two."""
  if sweep is None:
    return []
  made: list[Block] = []
  for metric in metrics_of(sweep):
    if len(sweep.factors) == 1:
      made += _columns(sweep, metric)
    else:
      made += _matrices(sweep, metric)
  if not sweep.analysis.experiment.about.get("sweeps"):
    made = [*map(Text, sentences(sweep)), *made]
  if made:
    within = "column" if len(sweep.factors) == 1 else "matrix"
    made.append(Text(_NOTE.format(within)))
  if sweep.outside and made:
    made.append(Text(f"Without a place in it: {', '.join(sweep.outside)}."))
  return made


def metrics_of(sweep: Sweep) -> list[str]:
  """The metrics that lines are compared by, and one that compares all."""
  names = [line.metric for line in sweep.lines]
  names.append(shared_metric(sweep.analysis.experiment))
  return [name for name in dict.fromkeys(names) if name]


def lines_of(sweep: Sweep, metric: str) -> list[Line]:
  """The lines whose points compare in a metric."""
  return [
    line
    for line in sweep.lines
    if metric in (line.metric, shared_metric(sweep.analysis.experiment))
    and any(sweep.estimate(arm, metric) for arm in line.arms.values())
  ]


def _head(metric: str) -> str:
  unit = ", %" if metrics_lib.get(metric).unit == "%" else ""
  label = metrics_lib.get(metric).label
  return label[0].upper() + label[1:] + unit


def _cell(sweep: Sweep, line: Line, point: tuple[int, ...], metric: str) -> str:
  arm = line.arms.get(point)
  estimate = sweep.estimate(arm, metric) if arm else None
  mark = _BEST if point == sweep.best(line, metric) else ""
  return tables.interval(metric, estimate) + mark


def _columns(sweep: Sweep, metric: str) -> list[Block]:
  """A row for each value, a column for each line."""
  [factor], lines = sweep.factors, lines_of(sweep, metric)
  if not lines:
    return []
  rows = tuple(
    (
      factor.shown(place),
      *(_cell(sweep, line, (place,), metric) for line in lines),
    )
    for place in range(len(factor.values))
  )
  head = (factor.label, *(line.name for line in lines))
  return [Text(f"{_head(metric)}:"), Table(head, rows)]


def planes(sweep: Sweep, line: Line) -> Iterator[tuple[tuple[int, ...], str]]:
  """Yields the points of the third and further options, and their words."""
  rest = sweep.factors[2:]
  taken = {point[2:] for point in line.arms}
  for point in itertools.product(*(range(len(f.values)) for f in rest)):
    if point in taken:
      yield point, at(rest, point)


def _matrices(sweep: Sweep, metric: str) -> list[Block]:
  """A matrix of the first two options for each line."""
  first, second = sweep.factors[:2]
  made: list[Block] = []
  for line in lines_of(sweep, metric):
    for rest, words in planes(sweep, line):
      rows = tuple(
        (
          first.shown(i),
          *(
            _cell(sweep, line, (i, j, *rest), metric)
            for j in range(len(second.values))
          ),
        )
        for i in range(len(first.values))
      )
      columns = [second.shown(j) for j in range(len(second.values))]
      title = ", ".join(filter(None, [line.name, words]))
      made += [
        Text(f"{_head(metric)}, {title}; columns are {second.label}:"),
        Table((first.label, *columns), rows),
      ]
  return made
