"""The figures of evaluations and of pairs of them: points with intervals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from lm_jax.evaluation import text
from lm_jax.evaluation.results import Row
from lm_jax.report import fonts, plots
from lm_jax.report.blocks import Image, printable
from lm_jax.report.style import GREY, RC

_MOST = 60  # rows that a figure can show
_COLOUR = "#0072B2"


class Bar(NamedTuple):
  """A line of a figure: a value, its interval, and what to compare it with."""

  label: str
  value: float
  low: float | None
  high: float | None
  mark: float | None = None


def scores(rows: Sequence[Row]) -> tuple[Image | None, dict[str, bytes]]:
  """Shares with intervals, in percent; chance is a grey tick.

  Returns:
    the image, and the bytes by file name; none where nothing can be drawn.
  """
  bars = bars_of(rows)
  if not bars:
    return None, {}
  caption = "Shares in percent, with 95 % intervals over items."
  if any(bar.mark is not None for bar in bars):
    caption += " Grey: chance."
  return draw("scores", caption + _left(len(bars)), "%", bars[:_MOST])


def bars_of(rows: Sequence[Row]) -> list[Bar]:
  """Makes a line for each headline share, in percent; none of parts."""
  return [
    Bar(
      _name(row),
      100 * row.value,
      None if row.low is None else 100 * row.low,
      None if row.high is None else 100 * row.high,
      None if row.chance is None else 100 * row.chance,
    )
    for row in rows
    if row.headline and not row.part and text.share(row)
  ]


def differences(
  bars: Sequence[Bar], baseline: str
) -> tuple[Image | None, dict[str, bytes]]:
  """Differences to a baseline, with intervals."""
  if not bars:
    return None, {}
  caption = f"Difference to {baseline}, 95 % over items, each on its own."
  label = "worse  ←  difference  →  better"
  return draw("differences", caption + _left(len(bars)), label, bars[:_MOST], 0)


def _left(count: int) -> str:
  more = count - _MOST
  return f" {more} more are not shown." if more > 0 else ""


def _name(row: Row) -> str:
  name = row.metric if row.metric.startswith(row.task) else row.task
  if not row.metric.startswith(row.task):
    name += f" {row.metric}"
  return name if row.shots is None else f"{name}, {row.shots} shots"


def draw(
  stem: str,
  caption: str,
  label: str,
  bars: Sequence[Bar],
  line: float | None = None,
) -> tuple[Image, dict[str, bytes]]:
  """A figure with a line for each bar.

  Args:
    stem: of the files.
    caption: of the image.
    label: of the axis.
    bars: from the top.
    line: where a vertical line is drawn.
  """
  import matplotlib

  with matplotlib.rc_context(RC):
    figure = drawn(label, bars, line)
    fonts.tell(fonts.fit(figure))
    kinds = ("png", "svg")
    files = {f"{stem}.{kind}": plots.rendered(figure, kind) for kind in kinds}
  return Image(stem, caption), files


def drawn(label: str, bars: Sequence[Bar], line: float | None = None):
  """The matplotlib Figure of `draw`, to be called with its look (RC)."""
  from matplotlib.figure import Figure

  bars = bars[:_MOST]
  size = (7.2, 0.9 + 0.32 * len(bars))
  figure = Figure(figsize=size, layout="constrained")
  axes = figure.add_subplot()
  if line is not None:
    axes.axvline(line, color=GREY, linewidth=1)
  for y, bar in enumerate(bars):
    if bar.low is not None and bar.high is not None:
      ends = [bar.low, bar.high]
      axes.plot(ends, [y, y], color=_COLOUR, linewidth=2.5)
    if bar.mark is not None:
      axes.plot(bar.mark, y, "|", color=GREY, markersize=13, mew=1.5)
    axes.plot(bar.value, y, "o", color=_COLOUR, markersize=6)
  names = [_short(printable(bar.label)) for bar in bars]
  axes.set_yticks(range(len(bars)), names)
  axes.set_ylim(len(bars) - 0.4, -0.6)
  axes.spines["left"].set_visible(False)
  axes.tick_params(axis="y", length=0)
  axes.set_xlabel(label)
  return figure


def _short(text: str, most: int = 44) -> str:
  return text if len(text) <= most else f"{text[: most - 1]}…"
