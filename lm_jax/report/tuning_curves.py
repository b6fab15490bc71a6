"""The figure of tuning: the best setting that so many trials find."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from lm_jax.report import metrics as metrics_lib
from lm_jax.report.compare import Analysis
from lm_jax.report.curves import label_ends
from lm_jax.report.style import gid, ink, style
from lm_jax.support.typed_json import as_kind


class Best(NamedTuple):
  """The best value that a number of trials finds, over studies.

  median, low, high: in the metric's own unit, as result.json has it.
  """

  trials: int
  median: float
  low: float
  high: float


def recorded(about: Mapping[str, Any]) -> tuple[str, dict[str, list[Best]]]:
  """Reads "tuning" of an experiment.json; nothing where it has none.

  It holds "metric", a name, and "best", by arm a list of [trials, median, low,
  high].

  Raises:
    UsageError: "best" is something else.
  """
  tuning = about.get("tuning")
  if not isinstance(tuning, dict) or "best" not in tuning:
    return "", {}
  metric = as_kind(tuning.get("metric"), str, "tuning: metric")
  kind = dict[str, list[list[float]]]
  best = as_kind(tuning["best"], kind, "tuning: best")
  return metric, {
    arm: [Best(int(n), *rest[:3]) for n, *rest in points if len(rest) >= 3]
    for arm, points in best.items()
  }


def draw(analysis: Analysis, metric: str, best: Mapping[str, Sequence[Best]]):
  """Draws the best found against trials, with a band; None without any.

  Losses of different objectives do not compare: then each arm has axes of its
  own.

  Args:
    analysis: whose arms have their colours.
    metric: that was tuned on.
    best: by arm, in the order of trials; other arms are left out.
  """
  from matplotlib.figure import Figure
  from matplotlib.ticker import MaxNLocator

  experiment = analysis.experiment
  known = {arm: best[arm] for arm in experiment.arms if best.get(arm)}
  if not known:
    return None
  shown = metrics_lib.get(metric)
  unit = f" ({shown.unit})" if shown.unit else ""
  label = f"best {shown.label}{unit}"
  apart = metrics_lib.OWN_LOSS == metric != analysis.metric
  if not apart:
    figure = Figure(figsize=(6, 3.6))
    axes = figure.add_subplot()
    ends = {
      arm: _draw(axes, analysis, arm, shown.scale, points)
      for arm, points in known.items()
    }
    label_ends(axes, experiment, ends)
    axes.set_xlabel("trials")
    axes.set_ylabel(label)
  else:
    columns = min(3, len(known))
    rows = -(-len(known) // columns)
    figure = Figure(figsize=(7.2, 0.6 + 2.1 * rows), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False).flat
    for axes in grid[len(known) :]:
      axes.set_visible(False)
    for axes, (arm, points) in zip(grid, known.items(), strict=False):
      axes.set_gid(gid(experiment, arm))
      _draw(axes, analysis, arm, shown.scale, points)
      title = "\n".join(textwrap.wrap(arm, 26))
      axes.set_title(title, color=ink(experiment, arm), loc="left")
    figure.supxlabel("trials", fontsize=10)
    figure.supylabel(f"{label}: not\ncomparable between arms", fontsize=10)
  for axes in figure.axes:
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
  return figure


def _draw(
  axes, analysis: Analysis, arm: str, scale: float, points: Sequence[Best]
) -> tuple[float, float]:
  """Draws an arm's medians and their band; returns the last point."""
  own: dict[str, Any] = {"gid": gid(analysis.experiment, arm)}
  look = style(analysis.experiment, arm)
  x = [one.trials for one in points]
  y, low, high = (
    [scale * getattr(one, name) for one in points]
    for name in ("median", "low", "high")
  )
  axes.fill_between(x, low, high, color=look["color"], alpha=0.12, lw=0, **own)
  axes.plot(x, y, marker="o", markersize=4, label="median", **look, **own)
  return x[-1], y[-1]
