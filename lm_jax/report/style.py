"""Styles of figures: colours per arm, type, the scale of an axis."""

from __future__ import annotations

from typing import Any

import numpy as np

from lm_jax.report import fonts
from lm_jax.report import metrics as metrics_lib
from lm_jax.report.collect import Experiment

# Okabe and Ito's colours, which the colour-blind tell apart, without yellow;
# the baseline is dark grey.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
_BASELINE = "#333333"
_DARKER = 0.68  # of a colour, so that text in it can be read on white
_STYLES = ("-", (0, (5, 2)), (0, (1.5, 1.5)), (0, (6, 2, 1.5, 2)))
GREY, SOFT = "#777777", "#555555"
_TEXT, _EDGE, _TICKS, _PAPER = "#222222", "#888888", "#444444", "#ffffff"
BROKEN = ("failed", "diverged", "unreadable")
RC: dict[Any, Any] = {
  "font.family": fonts.FAMILY,
  "font.size": 10,
  "axes.titlesize": 10,
  "axes.labelsize": 10,
  "xtick.labelsize": 9,
  "ytick.labelsize": 9,
  "axes.spines.top": False,
  "axes.spines.right": False,
  "axes.edgecolor": _EDGE,
  "axes.labelcolor": _TEXT,
  "text.color": _TEXT,
  "xtick.color": _TICKS,
  "ytick.color": _TICKS,
  "axes.formatter.limits": (-3, 5),
  "axes.formatter.use_mathtext": False,
  "text.parse_math": False,  # an arm's name may hold a dollar sign
  "path.simplify": False,  # a page reads the points of its lines
  "svg.fonttype": "none",  # text stays text
  "svg.hashsalt": "lm_jax",  # the same input gives the same bytes
}


def slot(place: int) -> tuple[int, int]:
  """An arm's colour and dashes by its place; the baseline's are 0.

  A page has the same numbers in its classes (page.css).
  """
  if place < 1:
    return 0, 0
  return (
    1 + (place - 1) % len(_COLOURS),
    (place - 1) // len(_COLOURS) % len(_STYLES),
  )


def style(experiment: Experiment, arm: str) -> dict[str, Any]:
  """An arm's colour and dashes: fixed by its place in the experiment."""
  return look(experiment.arms.index(arm))


def look(place: int) -> dict[str, Any]:
  """The colour and the dashes of a line by its place; the baseline's is 0."""
  colour, dashes = slot(place)
  return {
    "color": (_BASELINE, *_COLOURS)[colour],
    "linestyle": _STYLES[dashes],
  }


def gid(experiment: Experiment, arm: str) -> str:
  """Names what a figure shows of an arm, in its SVG (lm_jax/report/svg.py)."""
  return f"arm{experiment.arms.index(arm)}"


def _darkened(colour: str) -> tuple[float, float, float]:
  from matplotlib.colors import to_rgb

  red, green, blue = (_DARKER * part for part in to_rgb(colour))
  return red, green, blue


def ink(experiment: Experiment, arm: str) -> tuple[float, float, float]:
  """The arm's colour, darkened so that text in it can be read."""
  return _darkened(style(experiment, arm)["color"])


def variables() -> dict[str, str]:
  """The variable of page.css for each colour of the figures, as SVG has it."""
  from matplotlib.colors import to_hex

  named = {_TEXT: "text", SOFT: "soft", _TICKS: "soft", GREY: "grey"}
  named |= {_EDGE: "edge", _PAPER: "paper"}
  for number, colour in enumerate((_BASELINE, *_COLOURS)):
    named[to_hex(colour)] = f"arm-{number}"
    named[to_hex(_darkened(colour))] = f"ink-{number}"
  return {colour: f"var(--{name})" for colour, name in named.items()}


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
