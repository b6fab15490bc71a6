"""Styles of figures: colours per arm, type, the scale of an axis."""

from __future__ import annotations

from typing import Any

import numpy as np

from lm_jax.report import metrics as metrics_lib
from lm_jax.report.collect import Experiment

# Okabe and Ito's colours, which the colour-blind tell apart, without yellow;
# the baseline is dark grey.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
_BASELINE = "#333333"
_STYLES = ("-", (0, (5, 2)), (0, (1.5, 1.5)), (0, (6, 2, 1.5, 2)))
GREY = "#777777"
BROKEN = ("failed", "diverged", "unreadable")
RC: dict[Any, Any] = {
  "font.family": "DejaVu Sans",
  "font.size": 10,
  "axes.titlesize": 10,
  "axes.labelsize": 10,
  "xtick.labelsize": 9,
  "ytick.labelsize": 9,
  "axes.spines.top": False,
  "axes.spines.right": False,
  "axes.edgecolor": "#888888",
  "xtick.color": "#444444",
  "ytick.color": "#444444",
  "axes.formatter.limits": (-3, 5),
  "axes.formatter.use_mathtext": False,
  "text.parse_math": False,  # an arm's name may hold a dollar sign
  "svg.hashsalt": "lm_jax",  # the same input gives the same bytes
}


def style(experiment: Experiment, arm: str) -> dict[str, Any]:
  """An arm's colour and dashes: fixed by its place in the experiment."""
  place = experiment.arms.index(arm) - 1
  if place < 0:
    return {"color": _BASELINE, "linestyle": "-"}
  dashes = _STYLES[place // len(_COLOURS) % len(_STYLES)]
  return {"color": _COLOURS[place % len(_COLOURS)], "linestyle": dashes}


def ink(experiment: Experiment, arm: str) -> tuple[float, ...]:
  """The arm's colour, darkened so that text in it can be read."""
  from matplotlib.colors import to_rgb

  return tuple(0.68 * part for part in to_rgb(style(experiment, arm)["color"]))


def axis_unit(experiment: Experiment, currency: str) -> tuple[float, str]:
  """Returns an axis' divisor of a currency, and the axis' label."""
  label = metrics_lib.CURRENCIES[currency]
  spent = [run.ledger.get(currency, 0.0) for run in experiment.runs]
  power = int(np.floor(np.log10(max([*spent, 1.0]))))
  if power < 4:
    return 1.0, label
  if currency != "flops":
    power -= power % 3
  digits = str(power).translate(str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹"))
  return 10.0**power, f"{label} (×10{digits})"
