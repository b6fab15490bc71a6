"""Learning curves, and the small multiples of each arm's own loss."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from lm_jax.report import metrics as metrics_lib
from lm_jax.report.collect import Experiment
from lm_jax.report.compare import Analysis
from lm_jax.report.style import BROKEN, GREY, SOFT, axis_unit, gid, ink, style
from lm_jax.support import monospace


def _spread(places: np.ndarray, gap: float, low: float, high: float):
  """Moves label places apart, at least `gap` each, in their order."""
  order = np.argsort(places, kind="stable")
  gap = min(gap, (high - low) / max(1, len(places) - 1))
  y = places[order].astype(float)
  for i in range(1, len(y)):
    y[i] = max(y[i], y[i - 1] + gap)
  y -= max(0.0, y[-1] - high)
  for i in range(len(y) - 2, -1, -1):
    y[i] = min(y[i], y[i + 1] - gap)
  y += max(0.0, low - y[0])
  moved = np.empty_like(y)
  moved[order] = y
  return moved


def _mean_curve(curves: list[tuple[np.ndarray, np.ndarray]]):
  """Mean of curves where all of them are defined, on all their points."""
  low = max(x[0] for x, _ in curves)
  high = min(x[-1] for x, _ in curves)
  grid = np.unique(np.concatenate([x for x, _ in curves]))
  grid = grid[(grid >= low) & (grid <= high)]
  return grid, np.mean([np.interp(grid, x, y) for x, y in curves], axis=0)


def _curves(experiment: Experiment, arm: str, currency: str, metric: str):
  """Curves of an arm's runs, and which of them count in the mean."""
  curves = []
  size, _ = axis_unit(experiment, currency)
  for run in experiment.runs_of(arm, done=False):
    x, y = run.curve(currency, metric)
    if len(x):
      curves.append(((x / size, y * metrics_lib.get(metric).scale), run))
  return curves


def _draw_arm(axes, experiment: Experiment, arm: str, currency, metric):
  """Draws seeds as thin lines, their mean thick; returns its last point.

  A run that failed or diverged ends in a cross and counts in no mean; a run
  that goes on counts only where its arm has none that is done.
  """
  look = style(experiment, arm) | {"gid": gid(experiment, arm)}
  thin = {key: look[key] for key in ("color", "gid")}
  curves = _curves(experiment, arm, currency, metric)
  done = [curve for curve, run in curves if run.done]
  going = [
    c for c, run in curves if run.status in ("unfinished", "interrupted")
  ]
  whole = done or going
  _draw_decayed(axes, experiment, arm, currency, metric)
  for (x, y), run in curves:
    label = run.name.removeprefix(f"{arm}-") or "run"
    axes.plot(x, y, linewidth=0.8, alpha=0.4, label=label, **thin)
    if run.status in BROKEN:
      axes.plot(x[-1], y[-1], "x", markersize=7, **thin)
  if not whole:
    return None
  x, y = _mean_curve(whole)
  if not len(x):
    return None
  label = f"mean of {len(whole)}" if len(whole) > 1 else "_mean"
  axes.plot(x, y, linewidth=2, label=label, **look)
  return x[-1], y[-1]


def _draw_decayed(axes, experiment: Experiment, arm: str, currency, metric):
  """Draws decayed models as circles: means over seeds, of runs with branches.

  They are measured in full, unlike the points of the curves.
  """
  size, _ = axis_unit(experiment, currency)
  by_name: dict[str, list[tuple[float, float]]] = {}
  for run in experiment.runs_of(arm):
    for place, one in enumerate(run.decayed if run.branches else ()):
      spent, value = one.ledger.get(currency), one.metrics.get(metric)
      if spent is not None and value is not None:
        by_name.setdefault(f"{place}", []).append((spent, value))
  if not by_name:
    return
  scale = metrics_lib.get(metric).scale
  xy = np.array([np.mean(points, axis=0) for points in by_name.values()])
  axes.plot(
    xy[:, 0] / size,
    xy[:, 1] * scale,
    "o",
    color=style(experiment, arm)["color"],
    markersize=5,
    mfc="white",
    label="decayed models, mean",
    gid=gid(experiment, arm),
  )


def label_ends(
  axes, experiment: Experiment, ends: Mapping[str, tuple[float, float]]
) -> None:
  """Writes each arm's name beside the end of its curve, none over another.

  ends: the last point (x, y) of each arm.
  """
  low, high = axes.get_ylim()
  places = _spread(
    np.array([y for _, y in ends.values()]),
    0.23 / axes.figure.get_figheight() * (high - low),
    low,
    high,
  )
  right = axes.get_xlim()[1]
  for (arm, (x, y)), place in zip(ends.items(), places, strict=True):
    note = axes.annotate(
      arm,
      (x, y),
      (right * 1.03, place),
      color=ink(experiment, arm),
      va="center",
      fontsize=10,
      annotation_clip=False,
      arrowprops={
        "arrowstyle": "-",
        "relpos": (0, 0.5),
        "color": style(experiment, arm)["color"],
        "linewidth": 0.6,
        "alpha": 0.6,
      },
      gid=gid(experiment, arm),
    )
    note.arrow_patch.set_gid(gid(experiment, arm))


def learning_curves(analysis: Analysis, currency: str):
  """Draws the tested metric against a currency; None if it was not logged."""
  from matplotlib.figure import Figure

  experiment, name = analysis.experiment, analysis.metric or "minimal_pairs"
  metric = metrics_lib.get(name)
  tall = max(3.8, 0.22 * len(experiment.arms))
  figure = Figure(figsize=(6, tall))
  axes = figure.add_subplot()
  ends = {
    arm: end
    for arm in experiment.arms
    if (end := _draw_arm(axes, experiment, arm, currency, name)) is not None
  }
  if not ends:
    return None
  chance = metric.chance
  if chance is not None:
    axes.axhline(chance * metric.scale, color=GREY, linewidth=1, dashes=(4, 3))
  axes.set_xlim(left=0)
  axes.margins(x=0.02)
  axes.locator_params(steps=[1, 2, 5, 10])
  axes.set_xlabel(axis_unit(experiment, currency)[1])
  unit = "accuracy (%)" if metric.unit == "%" else metric.unit
  axes.set_ylabel(f"{metric.label}, {unit}")
  low, high = axes.get_ylim()
  if chance is not None:
    room = chance * metric.scale - low > 0.06 * (high - low)
    axes.text(
      0.995,
      chance * metric.scale + (-0.012 if room else 0.012) * (high - low),
      "chance",
      color=SOFT,
      fontsize=9,
      ha="right",
      va="top" if room else "bottom",
      transform=axes.get_yaxis_transform(),
    )
  label_ends(axes, experiment, ends)
  return figure


def own_losses(analysis: Analysis):
  """Draws each arm's validation loss on axes of its own; None if not logged."""
  from matplotlib.figure import Figure

  experiment = analysis.experiment
  arms = [
    arm
    for arm in experiment.arms
    if _curves(experiment, arm, "flops", "validation_loss")
  ]
  if not arms:
    return None
  columns = min(3, len(arms))
  rows = -(-len(arms) // columns)
  figure = Figure(figsize=(7.2, 0.6 + 2.1 * rows), layout="constrained")
  grid = figure.subplots(rows, columns, squeeze=False)
  for axes in grid.flat[len(arms) :]:
    axes.set_visible(False)
  for axes, arm in zip(grid.flat, arms, strict=False):
    axes.set_gid(gid(experiment, arm))
    _draw_arm(axes, experiment, arm, "flops", "validation_loss")
    title = "\n".join(monospace.wrap(arm, 26))
    axes.set_title(title, color=ink(experiment, arm), loc="left")
    axes.set_xlim(left=0)
    axes.locator_params(nbins=4)
  figure.supxlabel(axis_unit(experiment, "flops")[1], fontsize=10)
  figure.supylabel("own loss: not comparable\nbetween objectives", fontsize=10)
  return figure
