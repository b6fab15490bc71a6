"""Figures of a sweep: the swept value on x, and the heat map of two options."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

from lm_jax.report import metrics as metrics_lib
from lm_jax.report.style import GREY, look
from lm_jax.report.sweep_tables import lines_of, metrics_of, planes
from lm_jax.report.sweeps import Factor, Line, Sweep, shared_metric

_MOST = 12  # axes of a figure
# On bright and on dark cells; not quite black and white, which a page turns.
_INKS = {True: "#010101", False: "#fefefe"}
_TICKS = 9  # values that are written at an axis


def figures(sweep: Sweep | None) -> list[tuple[str, str, Any]]:
  """Lists the figures of a sweep: (stem, caption, function) each."""
  if sweep is None:
    return []
  whole = []
  shared = shared_metric(sweep.analysis.experiment)
  names = " and ".join(factor.label for factor in sweep.factors[:2])
  for metric in metrics_of(sweep):
    label = metrics_lib.get(metric).label
    alone = "" if metric == shared else ", each objective on its own axes"
    whole.append(
      (
        "sweep" if metric == shared else "sweep_loss",
        f"{label[0].upper()}{label[1:]} against {names}{alone}. Dots are seeds,"
        " lines their means, bars 95 % over seeds (from three on); a ring is"
        " the best mean.",
        functools.partial(_curves, sweep, metric),
      )
    )
  if len(sweep.factors) > 1:
    whole.append(
      (
        "sweep_map",
        f"Means by {names}; brighter is better, the frame is the best.",
        functools.partial(_maps, sweep),
      )
    )
  return whole


def _grid(count: int, width: float, height: float, **options: Any):
  """A figure with so many axes, at most three in a row."""
  from matplotlib.figure import Figure

  columns = min(3, count)
  rows = -(-count // columns)
  figure = Figure(
    figsize=(max(5.2, width * columns), 0.6 + height * rows),
    layout="constrained",
  )
  grid = figure.subplots(rows, columns, squeeze=False, **options)
  for axes in grid.flat[count:]:
    axes.set_visible(False)
  return figure, list(grid.flat[:count])


def _title(sweep: Sweep, line: Line, metric: str) -> str:
  """A line's name, and where it is best."""
  point = sweep.best(line, metric)
  if point is None:
    return line.name
  values = ", ".join(
    factor.shown(place)
    for factor, place in zip(sweep.factors, point, strict=True)
  )
  edge = " (at the edge)" if sweep.edges(line, point) else ""
  return f"{line.name}: best at {values}{edge}"


def _curves(sweep: Sweep, metric: str):
  """Draws a metric against the first option; None without a point of it."""
  lines = lines_of(sweep, metric)
  if not lines:
    return None
  shared = metric == shared_metric(sweep.analysis.experiment)
  if shared and len(sweep.factors) == 1:
    figure, [axes] = _grid(1, 6.4, 3.6)
    for number, line in enumerate(lines):
      _draw(axes, sweep, line, metric, (), number, line.name)
    _draw_outside(axes, sweep, metric)
    _finish([axes], sweep, metric, legend="" if len(lines) > 1 else None)
    if len(lines) == 1:
      axes.set_title(_title(sweep, lines[0], metric), loc="left")
    return figure
  planned = [
    (line, rest, words) for line in lines for rest, words in planes(sweep, line)
  ][:_MOST]
  figure, grid = _grid(len(planned), 3.6, 2.9, sharey=shared)
  for axes, (line, rest, words) in zip(grid, planned, strict=True):
    if len(sweep.factors) == 1:
      _draw(axes, sweep, line, metric, (), lines.index(line), line.name)
    else:
      second = sweep.factors[1]
      for place in range(len(second.values)):
        name = second.shown(place)
        _draw(axes, sweep, line, metric, (place, *rest), place, name)
    title = _title(sweep, line, metric)
    axes.set_title(f"{title}\n{words}" if words else title, loc="left")
  several = len(sweep.factors) > 1
  _finish(grid, sweep, metric, sweep.factors[1].label if several else None)
  return figure


def _draw(axes, sweep: Sweep, line: Line, metric: str, rest, number, name):
  """Draws the points of a line that share their further values."""
  factor, experiment = sweep.factors[0], sweep.analysis.experiment
  scale, style = metrics_lib.get(metric).scale, look(number + 1)
  x, y, ends = [], [], []
  for place, at_x in enumerate(_positions(factor)):
    arm = line.arms.get((place, *rest))
    estimate = sweep.estimate(arm, metric) if arm else None
    if arm is None or estimate is None:
      continue
    values = [
      run.metrics[metric] for run in experiment.with_metric(metric, arm)
    ]
    axes.plot(
      [at_x] * len(values),
      [scale * value for value in values],
      "o",
      color=style["color"],
      markersize=3,
      alpha=0.45,
      markeredgewidth=0,
    )
    low = estimate.value if estimate.low is None else estimate.low
    high = estimate.value if estimate.high is None else estimate.high
    x.append(at_x)
    y.append(scale * estimate.value)
    ends.append((scale * low, scale * high))
  if not x:
    return
  axes.plot(x, y, linewidth=1.8, marker="o", markersize=4, label=name, **style)
  for at_x, (low, high) in zip(x, ends, strict=True):
    if high > low:
      axes.plot([at_x] * 2, [low, high], color=style["color"], linewidth=1)
  best = sweep.best(line, metric)
  if best is not None and best[1:] == tuple(rest):
    at_x = _positions(factor)[best[0]]
    axes.plot(
      at_x,
      y[x.index(at_x)],
      "o",
      markersize=11,
      mfc="none",
      markeredgecolor=style["color"],
      markeredgewidth=1.6,
    )


def _draw_outside(axes, sweep: Sweep, metric: str) -> None:
  """Draws arms that are not swept as level lines."""
  for arm in sweep.outside:
    estimate = sweep.estimate(arm, metric)
    if estimate is not None:
      value = metrics_lib.get(metric).scale * estimate.value
      axes.axhline(value, color=GREY, linewidth=1, dashes=(4, 3), label=arm)


def _positions(factor: Factor) -> tuple[float, ...]:
  return factor.numbers or tuple(map(float, range(len(factor.values))))


def _finish(grid, sweep: Sweep, metric: str, legend: str | None) -> None:
  """Scales and labels axes; a legend has a title, None is no legend."""
  factor = sweep.factors[0]
  positions = _positions(factor)
  step = -(-len(positions) // _TICKS)
  for number, axes in enumerate(grid):
    if factor.log:
      axes.set_xscale("log")
    axes.set_xticks(
      positions[::step],
      [factor.shown(i) for i in range(len(positions))][::step],
      rotation=0 if len(grid) == 1 else 35,
      ha="center" if len(grid) == 1 else "right",
    )
    axes.set_xticks([], minor=True)
    handles = axes.get_legend_handles_labels()[0]
    if legend is not None and number == 0 and len(handles) > 1:
      axes.legend(
        frameon=False, fontsize=8, title=legend or None, title_fontsize=8
      )
    axes.margins(x=0.06)
  unit = metrics_lib.get(metric).unit
  label = metrics_lib.get(metric).label
  figure = grid[0].figure
  figure.supxlabel(factor.label, fontsize=10)
  figure.supylabel(f"{label} ({unit})" if unit else label, fontsize=10)


def _maps(sweep: Sweep):
  """Draws the means of each line over its first two options."""
  from matplotlib.patches import Rectangle

  planned = [
    (line, rest, words)
    for line in sweep.lines
    if line.metric and lines_of(sweep, line.metric)
    for rest, words in planes(sweep, line)
  ][:_MOST]
  if not planned:
    return None
  first, second = sweep.factors[:2]
  figure, grid = _grid(len(planned), 3.6, 0.9 + 0.4 * len(first.values))
  for axes, (line, rest, words) in zip(grid, planned, strict=True):
    metric = metrics_lib.get(line.metric or "")
    means = np.full((len(first.values), len(second.values)), math.nan)
    for point, arm in line.arms.items():
      estimate = sweep.estimate(arm, line.metric)
      if point[2:] == rest and estimate is not None:
        means[point[:2]] = metric.scale * estimate.value
    colours = "cividis" if metric.higher_better else "cividis_r"
    # Vectors, as a page takes no pictures inside of a figure.
    mesh = axes.pcolormesh(np.ma.masked_invalid(means), cmap=colours)
    axes.invert_yaxis()
    for (i, j), mean in np.ndenumerate(means):
      if not math.isnan(mean):
        *rgb, _ = mesh.cmap(mesh.norm(mean))
        bright = float(np.dot(rgb, (0.299, 0.587, 0.114))) > 0.5
        text = metrics_lib.show(line.metric or "", mean / metric.scale)
        ink = _INKS[bright]
        axes.text(
          j + 0.5,
          i + 0.5,
          text,
          ha="center",
          va="center",
          color=ink,
          fontsize=8,
        )
    best = sweep.best(line, line.metric)
    if best is not None and best[2:] == rest:
      corner = (best[1] + 0.02, best[0] + 0.02)
      frame = Rectangle(corner, 0.96, 0.96, fill=False)
      frame.set(edgecolor="#D55E00", linewidth=2.2)
      axes.add_patch(frame)
    columns = [second.shown(j) for j in range(len(second.values))]
    rows = [first.shown(i) for i in range(len(first.values))]
    axes.set_xticks(
      np.arange(len(columns)) + 0.5, columns, rotation=35, ha="right"
    )
    axes.set_yticks(np.arange(len(rows)) + 0.5, rows)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    title = f"{line.name}: {metric.label}"
    axes.set_title(f"{title}\n{words}" if words else title, loc="left")
  figure.supxlabel(second.label, fontsize=10)
  figure.supylabel(first.label, fontsize=10)
  return figure
