"""The figure of tuning: the best setting that so many trials find."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from lm_jax.report import metrics as metrics_lib
from lm_jax.report.compare import Analysis
from lm_jax.report.curves import label_ends
from lm_jax.report.style import gid, ink, style
from lm_jax.report.tuning import Tuned
from lm_jax.support import monospace


def draw(analysis: Analysis, searches: Mapping[str, Tuned]):
  """Draws the best found against trials, with a band; None without any.

  Losses of different objectives do not compare: then each arm has axes of its
  own.

  Args:
    analysis: whose arms have their colours.
    searches: by arm; those without a best value are left out.
  """
  from matplotlib.figure import Figure
  from matplotlib.ticker import MaxNLocator

  experiment = analysis.experiment
  known = {
    arm: searches[arm]
    for arm in experiment.arms
    if arm in searches and searches[arm].best
  }
  if not known:
    return None
  judged = {search.measure for search in known.values()}
  labels = {name: _label(name) for name in judged}
  losses = metrics_lib.OWN_LOSS in judged
  apart = len(judged) > 1 or (losses and analysis.metric not in judged)
  if not apart:
    figure = Figure(figsize=(6, 3.6))
    axes = figure.add_subplot()
    ends = {
      arm: _draw(axes, analysis, arm, search) for arm, search in known.items()
    }
    label_ends(axes, experiment, ends)
    axes.set_xlabel("trials")
    axes.set_ylabel(next(iter(labels.values())))
  else:
    columns = min(3, len(known))
    rows = -(-len(known) // columns)
    figure = Figure(figsize=(7.2, 0.6 + 2.1 * rows), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False).flat
    for axes in grid[len(known) :]:
      axes.set_visible(False)
    for axes, (arm, search) in zip(grid, known.items(), strict=False):
      axes.set_gid(gid(experiment, arm))
      _draw(axes, analysis, arm, search)
      if len(labels) > 1:
        axes.set_ylabel(labels[search.measure], fontsize=8)
      title = "\n".join(monospace.wrap(arm, 26))
      axes.set_title(title, color=ink(experiment, arm), loc="left")
    figure.supxlabel("trials", fontsize=10)
    one = next(iter(labels.values())) if len(labels) == 1 else "best found"
    figure.supylabel(f"{one}: not\ncomparable between arms", fontsize=10)
  for axes in figure.axes:
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
  return figure


def _label(metric: str) -> str:
  shown = metrics_lib.get(metric)
  unit = f" ({shown.unit})" if shown.unit else ""
  return f"best {shown.label}{unit}"


def _draw(
  axes, analysis: Analysis, arm: str, search: Tuned
) -> tuple[float, float]:
  """Draws an arm's medians and their band; returns the last point."""
  scale = metrics_lib.get(search.measure).scale
  own: dict[str, Any] = {"gid": gid(analysis.experiment, arm)}
  look = style(analysis.experiment, arm)
  x, *values = zip(*search.best, strict=True)
  y, low, high = (scale * np.array(value) for value in values)
  axes.fill_between(x, low, high, color=look["color"], alpha=0.12, lw=0, **own)
  axes.plot(x, y, marker="o", markersize=4, label="median", **look, **own)
  return x[-1], y[-1]
