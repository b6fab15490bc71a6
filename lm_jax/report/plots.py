"""The figures: the forest plot, and the files that all of them go into."""

from __future__ import annotations

from typing import Any

from lm_jax.report import (
  curves,
  fonts,
  svg,
  sweep_plots,
  sweeps,
  tables,
  translated,
  tuning,
  tuning_curves,
)
from lm_jax.report import metrics as metrics_lib
from lm_jax.report.blocks import Image
from lm_jax.report.compare import Analysis
from lm_jax.report.language import Language
from lm_jax.report.style import BROKEN, GREY, RC, gid, style
from lm_jax.statistics.estimates import Estimate


def _bar(axes, y: float, estimate: Estimate, scale: float, **look):
  if estimate.low is not None and estimate.high is not None:
    ends = [estimate.low * scale, estimate.high * scale]
    axes.plot(ends, [y, y], solid_capstyle="butt", **look)


def forest(analysis: Analysis):
  """Draws differences to the baseline with intervals; None without any."""
  from matplotlib.figure import Figure

  name = analysis.metric
  if name is None or not any(d.seeds or d.items for d in analysis.differences):
    return None
  metric = metrics_lib.get(name)
  scale = metric.scale
  rows = analysis.differences
  figure = Figure(figsize=(6, 1.3 + 0.5 * len(rows)), layout="constrained")
  axes = figure.add_subplot()
  axes.axvline(0, color=GREY, linewidth=1)
  plan = analysis.experiment.plan
  if plan and plan.smallest_effect:  # what counts as equivalent
    margin = plan.smallest_effect
    axes.axvspan(-margin, margin, color=GREY, alpha=0.15, linewidth=0)
  for i, row in enumerate(rows):
    own: dict[str, Any] = {"gid": gid(analysis.experiment, row.arm)}
    look = {"color": style(analysis.experiment, row.arm)["color"], **own}
    if row.seeds and row.wide:
      _bar(axes, i, row.wide, scale, linewidth=1.2, **look)
      _bar(axes, i, row.seeds, scale, linewidth=5, alpha=0.75, **look)
      told = f"{tables.interval(name, row.seeds, signed=True)}, over seeds"
      point = row.seeds.value * scale
      axes.plot(point, i, "o", markersize=7, label=told, **look)
    if row.items:
      y = i + 0.27 if row.seeds else i
      _bar(axes, y, row.items, scale, color=GREY, linewidth=1.2, **own)
      point = row.items.value * scale
      told = f"{tables.interval(name, row.items, signed=True)}, over items"
      axes.plot(
        *(point, y, "o"),
        color=GREY,
        markersize=4,
        mfc="white",
        label=told,
        **own,
      )
  axes.set_yticks(range(len(rows)), [row.arm for row in rows], fontsize=10)
  for text, row in zip(axes.get_yticklabels(), rows, strict=True):
    text.set_gid(gid(analysis.experiment, row.arm))
  axes.set_ylim(len(rows) - 0.4, -0.6)
  axes.spines["left"].set_visible(False)
  axes.tick_params(axis="y", length=0)
  unit = "points" if metric.unit == "%" else metric.unit
  baseline = analysis.experiment.baseline
  label = f"{metric.label}: difference to {baseline} ({unit})"
  ends = ("better", "worse") if metric.higher_better is False else None
  left, right = ends or ("worse", "better")
  axes.set_xlabel(f"{left}  ←  {label}  →  {right}")
  return figure


def rendered(figure, kind: str) -> bytes:
  """Renders a figure's file, "svg" or "png": the same bytes each time."""
  meta = {"Date": None} if kind == "svg" else {"Software": None}
  return fonts.saved(
    figure, format=kind, dpi=160, metadata=meta, bbox_inches="tight"
  )


def draw(
  analysis: Analysis, language: Language | None = None
) -> tuple[list[Image], dict[str, bytes]]:
  """Draws every figure that can be drawn; bytes by file name.

  language: of the words in it; English unless given.
  """
  import matplotlib

  images, files = [], {}
  missing: frozenset[str] = frozenset()
  with matplotlib.rc_context(RC):
    for stem, caption, make in figures(analysis):
      figure = make()
      if figure is None:
        continue
      traces = svg.traces(figure, analysis.experiment.arms)
      if language is not None:
        translated.figure(figure, language, analysis.experiment.arms)
      missing |= fonts.fit(figure)
      images.append(Image(stem, caption, traces))
      for kind in ("png", "svg"):
        files[f"{stem}.{kind}"] = rendered(figure, kind)
  fonts.tell(missing)
  return images, files


def figures(analysis: Analysis):
  """Lists the figures: (stem, caption, function) each.

  The functions give a matplotlib Figure, or None where nothing can be drawn.
  """
  label = metrics_lib.get(analysis.metric or "minimal_pairs").label
  label = label[0].upper() + label[1:]
  seeds = "Thick lines are means over seeds, thin ones single seeds"
  if all(arm.planned < 2 for arm in analysis.arms):
    seeds = "One seed a line"
  statuses = {run.status for run in analysis.experiment.runs}
  if statuses & {"unfinished", "interrupted"}:
    seeds += "; lines that end early are unfinished"
  if statuses & set(BROKEN):
    seeds += "; a cross ends a run that failed"
  if any(run.branches for run in analysis.experiment.runs):
    seeds += "; circles are decayed models, measured in full: branches and ends"
  whole = not analysis.has_items and analysis.metric
  subset = "" if whole else " (a subset)"
  over = "thick: 95 % over seeds; thin: corrected for all comparisons; "
  if analysis.regime == "items":
    over = ""
  figures = (
    (
      "differences",
      f"{label}: difference to {analysis.experiment.baseline} ({over}grey: "
      "95 % over items, these checkpoints only).",
      lambda: forest(analysis),
    ),
    (
      "curves_flops",
      f"{label}{subset} against FLOPs. {seeds}.",
      lambda: curves.learning_curves(analysis, "flops"),
    ),
    (
      "curves_tokens",
      f"{label}{subset} against tokens read. {seeds}.",
      lambda: curves.learning_curves(analysis, "tokens"),
    ),
    (
      "tuning",
      "Tuning: the best value that so many trials find, the median of studies"
      " and their range.",
      lambda: tuning_curves.draw(
        analysis, tuning.read(analysis.experiment.about)
      ),
    ),
    (
      "validation_loss",
      "Each arm's own validation loss, each on its own axes: not comparable "
      "between objectives.",
      lambda: curves.own_losses(analysis),
    ),
  )
  # Where losses compare, they have the learning curves.
  kept = figures[:-1] if analysis.metric == metrics_lib.OWN_LOSS else figures
  return [*kept, *sweep_plots.figures(sweeps.read(analysis))]
