"""Figures from Python: those of the pages, as matplotlib has them."""

from __future__ import annotations

import os
import pathlib
from typing import TYPE_CHECKING, Any

from lm_jax.api import directories
from lm_jax.support import registry
from lm_jax.support.errors import UsageError

if TYPE_CHECKING:
  from matplotlib.figure import Figure


def plot(directory: str | os.PathLike, figure: str = "") -> Figure:
  """A figure of a directory's page, to be shown, changed or saved.

  Args:
    directory: as of `results`, but for protocols, which have no figures.
    figure: "differences", "curves_flops", "curves_tokens", "validation_loss"
      or, of sweeps, "sweep", "sweep_loss" and "sweep_map" of experiments and
      runs, "scores" of evaluations; by default the first that can be drawn.

  Raises:
    UsageError: there is no such figure, or nothing to draw.
  """
  import matplotlib

  from lm_jax.report import fonts
  from lm_jax.report.style import RC

  root = directories.existing(directory, "plot")
  # Outside of a test or a page nobody else sets matplotlib's defaults back.
  with matplotlib.rc_context(RC):
    makers = _makers(root)
    if figure and figure not in makers:
      raise registry.unknown("plot: figure", figure, makers)
    for stem, make in makers.items():
      drawn = make() if figure in ("", stem) else None
      if drawn is not None:
        fonts.tell(fonts.fit(drawn))
        return drawn
  raise UsageError(
    f"plot: figure={figure}: {root}: holds nothing yet that can be drawn"
  )


def _makers(root: pathlib.Path) -> dict[str, Any]:
  """A function for each figure that a directory may have."""
  from lm_jax.evaluation import figures
  from lm_jax.report import compare, plots, protocol

  evaluation = directories.evaluation(root)
  if evaluation is not None:
    bars = figures.bars_of(evaluation.rows)
    return {"scores": lambda: figures.drawn("%", bars) if bars else None}
  if (root / protocol.FILE).is_file():
    raise UsageError(f"plot: directory={root}: a protocol has no figures")
  makers = plots.figures(compare.analyse(directories.experiment(root)))
  return {stem: make for stem, _, make in makers}
