"""An experiment as a sweep: swept options, their values, the best of them.

Each arm stands at a point of the sweep and belongs to a line, that of what it
trains. Losses are compared within a line, where they measure the same thing;
other metrics between lines, too.
"""

from __future__ import annotations

import dataclasses
import functools
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from lm_jax.report import arms as arms_lib
from lm_jax.report import metrics as metrics_lib
from lm_jax.report import subject
from lm_jax.report.collect import Experiment
from lm_jax.report.compare import Analysis
from lm_jax.statistics.estimates import Estimate
from lm_jax.support.typed_json import as_kind

# Options that say what is trained, and so which line an arm belongs to.
_TRAINED = ("objective", subject.PHASES)
_FEWEST = 3  # values by which an experiment of another kind is a sweep, too
_NUMBER = re.compile(
  r"(?:([a-z]+):)?([-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?)", re.I
)


@dataclasses.dataclass(frozen=True)
class Swept:
  """One --sweep as experiment.json has it.

  arm: the only one that has it; "" for all.
  options, values: which options move together, and their texts at each point.
  """

  options: list[str]
  values: list[list[str]]
  arm: str = ""


@dataclasses.dataclass(frozen=True)
class Place:
  """An arm in the sweeps: its name without them, and its values by path."""

  arm: str
  values: dict[str, str]


@dataclasses.dataclass(frozen=True)
class Factor:
  """Swept options that move together.

  values: texts at each point, in order.
  numbers: of the first option at each point, ascending; () of words.
  unit: that stands before the number, "flops".
  """

  paths: tuple[str, ...]
  values: tuple[tuple[str, ...], ...]
  numbers: tuple[float, ...] = ()
  unit: str = ""

  @property
  def label(self) -> str:
    unit = f" ({self.unit})" if self.unit else ""
    return " with ".join(self.paths) + unit

  @property
  def log(self) -> bool:
    """Returns whether the values are spaced by factors, not by steps."""
    if not self.numbers or min(self.numbers) <= 0:
      return False
    pairs = list(zip(self.numbers, self.numbers[1:], strict=False))
    if len(pairs) < 2:
      return bool(pairs) and pairs[0][1] >= 2.5 * pairs[0][0]
    steps = [b - a for a, b in pairs]
    factors = [math.log(b / a) for a, b in pairs]
    return max(factors) / min(factors) < max(steps) / min(steps)

  def place(self, values: Mapping[str, str]) -> int | None:
    """The point that an arm's values stand at; None where they have none."""
    texts = tuple(values.get(path, "") for path in self.paths)
    places = (i for i, own in enumerate(self.values) if _same(own, texts))
    return next(places, None)

  def shown(self, place: int) -> str:
    """A point's values in a table or at an axis."""
    texts = self.values[place]
    return ", ".join(texts).replace(f"{self.unit}:", "", 1)


@dataclasses.dataclass(frozen=True)
class Line:
  """The arms that train the same, but for what is swept.

  name: that of the arm before it was swept.
  arms: by point, a place for each factor.
  metric: by which its points are compared; None where nothing was measured.
  """

  name: str
  arms: dict[tuple[int, ...], str]
  metric: str | None


@dataclasses.dataclass(frozen=True)
class Sweep:
  """The factors of an experiment, those of most values first, and its lines.

  outside: arms that stand at no point, by name.
  """

  factors: tuple[Factor, ...]
  lines: tuple[Line, ...]
  outside: tuple[str, ...]
  analysis: Analysis

  def estimate(self, arm: str, metric: str | None) -> Estimate | None:
    return self.analysis.arm(arm).metrics.get(metric or "")

  def best(self, line: Line, metric: str | None) -> tuple[int, ...] | None:
    """The point of a line whose mean is best; None of a line of one."""
    values = {
      point: estimate.value
      for point, arm in line.arms.items()
      if (estimate := self.estimate(arm, metric)) is not None
    }
    if len(values) < 2 or metric is None:
      return None
    higher = metrics_lib.get(metric).higher_better
    return (max if higher else min)(values, key=lambda point: values[point])

  def edges(self, line: Line, point: tuple[int, ...]) -> list[Factor]:
    """The factors of which a point has the first or the last value.

    Values without an order have no edge, and of two both are one.
    """
    edges = []
    for number, factor in enumerate(self.factors):
      places = sorted({other[number] for other in line.arms})
      ends = (places[0], places[-1]) if len(places) > 2 else ()
      if factor.numbers and point[number] in ends:
        edges.append(factor)
    return edges


def read(analysis: Analysis) -> Sweep | None:
  """Returns what an experiment sweeps; None where it sweeps nothing.

  An experiment of another kind is a sweep where its arms differ in three or
  more numbers of one option.

  Raises:
    UsageError: experiment.json does not hold what `compare` writes.
  """
  experiment = analysis.experiment
  swept, places = recorded(experiment)
  if not swept:
    swept, places = _implied(experiment)
  places = {a: place for a, place in places.items() if a in experiment.arms}
  factors = _factors(swept, places)
  if not factors:
    return None
  trained = [path for one in swept for path in one.options if path in _TRAINED]
  by_line: dict[str, dict[tuple[int, ...], str]] = {}
  outside = [arm for arm in experiment.arms if arm not in places]
  for arm, place in places.items():
    name = next(filter(None, map(place.values.get, trained)), place.arm)
    points = [factor.place(place.values) for factor in factors]
    if None in points:
      outside.append(arm)
    else:
      by_line.setdefault(name, {})[tuple(points)] = arm  # type: ignore[arg-type]
  lines = [
    Line(name, arms, _metric(experiment, list(arms.values())))
    for name, arms in by_line.items()
  ]
  return Sweep(factors, tuple(lines), tuple(outside), analysis)


def recorded(experiment: Experiment) -> tuple[list[Swept], dict[str, Place]]:
  """The sweeps of an experiment's record, and the place of each arm.

  Raises:
    UsageError: it does not hold what `compare` writes.
  """
  about = experiment.about
  swept = as_kind(about.get("sweeps") or [], list[Swept], "sweeps")
  return swept, as_kind(about.get("swept") or {}, dict[str, Place], "swept")


def _implied(experiment: Experiment) -> tuple[list[Swept], dict[str, Place]]:
  """The sweep of an experiment that calls itself none."""
  first = {run.arm: run.settings for run in reversed(experiment.runs)}
  known = {arm: first[arm] for arm in experiment.arms if first.get(arm)}
  paths = subject.varied(list(known.values()))
  for path in paths:
    others = [other for other in paths if other != path]
    groups: dict[str, list[Any]] = {}
    for settings in known.values():
      key = repr([settings.get(other) for other in others])
      groups.setdefault(key, []).append(settings.get(path))
    if all(_is_number(v) for values in groups.values() for v in values) and all(
      len(set(values)) == len(values) >= _FEWEST for values in groups.values()
    ):
      texts = subject.values_of(path, list(known.values()))
      places = {
        arm: Place(
          str(settings.get("objective")),
          {path: subject.values_of(path, [settings])[0]},
        )
        for arm, settings in known.items()
      }
      swept = [Swept([path], [[text] for text in texts])]
      if len(groups) == len({place.arm for place in places.values()}):
        return swept, places
  return [], {}


def _is_number(value: Any) -> bool:
  return isinstance(value, int | float) and not isinstance(value, bool)


def _factors(
  swept: Sequence[Swept], places: Mapping[str, Place]
) -> tuple[Factor, ...]:
  """Swept options with all values that arms have; most values first."""
  by_paths: dict[tuple[str, ...], list[tuple[str, ...]]] = {}
  for one in swept:
    if one.options[0] in _TRAINED:
      continue
    values = by_paths.setdefault(tuple(one.options), [])
    values += [tuple(value) for value in one.values]
  factors = []
  for paths, values in by_paths.items():
    own = [tuple(p.values.get(x, "") for x in paths) for p in places.values()]
    every: list[tuple[str, ...]] = []
    for value in [*values, *(texts for texts in own if all(texts))]:
      if not any(_same(value, other) for other in every):
        every.append(value)
    if len(every) > 1:
      factors.append(_factor(paths, every))
  factors.sort(key=lambda f: (not f.numbers, -len(f.values)))
  return tuple(factors)


def _factor(
  paths: tuple[str, ...], values: Sequence[tuple[str, ...]]
) -> Factor:
  matches = [_NUMBER.fullmatch(value[0]) for value in values]
  units = {match[1] or "" for match in matches if match}
  if not all(matches) or len(units) > 1:
    return Factor(paths, tuple(values))
  numbers = {v: _number(v[0]) for v in values}
  ordered = sorted(values, key=lambda value: numbers[value])
  ascending = tuple(numbers[value] for value in ordered)
  if len(set(ascending)) < len(ascending):  # of linked options
    return Factor(paths, tuple(values))
  return Factor(paths, tuple(ordered), ascending, units.pop())


def _number(text: str) -> float:
  return float(text.rpartition(":")[2])


@functools.cache
def _same(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
  """Returns whether texts are the same values: 1e-3 is 0.001."""
  return len(one) == len(other) and all(
    x == y
    or (
      bool(_NUMBER.fullmatch(x) and _NUMBER.fullmatch(y))
      and x.rpartition(":")[0] == y.rpartition(":")[0]
      and math.isclose(_number(x), _number(y), rel_tol=1e-9)
    )
    for x, y in zip(one, other, strict=True)
  )


def _metric(experiment: Experiment, arms: Sequence[str]) -> str | None:
  """The metric by which the points of a line are compared.

  The line's own loss, where it measures the same thing at each point.
  """
  runs = [run for arm in arms for run in experiment.runs_of(arm)]
  if arms_lib.own_losses_compare(runs):
    return metrics_lib.OWN_LOSS
  return shared_metric(experiment, arms)


def shared_metric(
  experiment: Experiment, arms: Sequence[str] | None = None
) -> str | None:
  """The first metric that compares whatever is trained, and was measured."""
  runs = [
    run
    for arm in (experiment.arms if arms is None else arms)
    for run in experiment.runs_of(arm)
  ]
  for name, metric in metrics_lib.METRICS.items():
    if metric.higher_better and any(name in run.metrics for run in runs):
      return name
  return None
