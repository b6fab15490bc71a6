"""The figure of tuning: the best setting that so many trials find."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from lm_jax.report import metrics as metrics_lib
from lm_jax.report.collect import Experiment
from lm_jax.report.curves import label_ends
from lm_jax.report.style import gid, style


class Best(NamedTuple):
  """The best value that a number of trials finds, over studies.

  median, low, high: in the metric's own unit, as result.json has it.
  """

  trials: int
  median: float
  low: float
  high: float


def draw(
  experiment: Experiment, metric: str, best: Mapping[str, Sequence[Best]]
):
  """Draws the best found against trials, with a band; None without any.

  Args:
    experiment: whose arms have their colours.
    metric: that was tuned on.
    best: by arm, in the order of trials; other arms are left out.
  """
  from matplotlib.figure import Figure
  from matplotlib.ticker import MaxNLocator

  known = {arm: best[arm] for arm in experiment.arms if best.get(arm)}
  if not known:
    return None
  shown = metrics_lib.get(metric)
  figure = Figure(figsize=(6, 3.6))
  axes = figure.add_subplot()
  ends: dict[str, tuple[float, float]] = {}
  for arm, points in known.items():
    own: dict[str, Any] = {"gid": gid(experiment, arm)}
    look = style(experiment, arm)
    x = [one.trials for one in points]
    low, high = (
      [shown.scale * value for value in (getattr(p, end) for p in points)]
      for end in ("low", "high")
    )
    colour = look["color"]
    axes.fill_between(x, low, high, color=colour, alpha=0.12, lw=0, **own)
    y = [shown.scale * one.median for one in points]
    axes.plot(x, y, "o-", **look | {"markersize": 4}, label="median", **own)
    ends[arm] = x[-1], y[-1]
  axes.xaxis.set_major_locator(MaxNLocator(integer=True))
  axes.set_xlabel("trials")
  unit = f" ({shown.unit})" if shown.unit else ""
  label_ends(axes, experiment, ends)
  axes.set_ylabel(f"best {shown.label}{unit}")
  return figure
