"""The report of an experiment: results.csv, report.md, report.html, figures.

A pure function of the experiment directory: writing it again changes nothing,
and a directory whose runs are partial, failed or missing has one too.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path

from lm_jax.report import (
  blocks,
  card,
  collect,
  compare,
  main_table,
  page,
  plots,
  ranking,
  records,
  run_details,
  spread,
  web,
)

__all__ = ["Report", "publish", "table", "write"]


def replace(path: Path, data: bytes) -> Path:
  """Writes a file in one step, so that nobody ever sees half of it."""
  part = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
  try:
    part.write_bytes(data)
    os.replace(part, path)
  except OSError:
    part.unlink(missing_ok=True)
    raise
  return path


def publish(
  root: Path,
  title: str,
  content: Sequence[blocks.Block],
  csv: str,
  figures: Mapping[str, bytes],
  csv_name: str = "results.csv",
) -> None:
  """Writes a report: its figures, its CSV, report.md and report.html.

  Args:
    root: an existing directory.
    figures: their bytes by file name, each as .svg and .png. The HTML page
      holds the SVG of every Image in `content`.
  """
  svg = {Path(n).stem: figures[n] for n in figures if n.endswith(".svg")}
  if figures:
    (root / "figures").mkdir(exist_ok=True)
  for name, data in figures.items():
    replace(root / "figures" / name, data)
  texts = {
    csv_name: csv,
    "report.md": blocks.markdown(content),
    "report.html": web.to_html(content, title, svg),
  }
  for name, text in texts.items():
    replace(root / name, text.encode("utf-8", "replace"))


class Report:
  """An experiment, read and analysed once."""

  def __init__(
    self,
    experiment: collect.Experiment,
    recipes: run_details.Reader | None = None,
  ):
    self._experiment, self._recipes = experiment, recipes
    independent = experiment.independent().at_look()
    self._analysis = compare.analyse(independent)
    self._ranks = ranking.rankings(independent, self._analysis.metric)
    metric = self._analysis.metric
    parts = spread.parts(experiment, metric)
    self._card = card.make(
      experiment,
      self._analysis,
      self._ranks,
      spread.sentence(parts, metric),
    )
    self._spread = spread.table(parts, experiment, self._analysis)

  @classmethod
  def load(
    cls,
    directory: str | os.PathLike[str],
    recipes: run_details.Reader | None = None,
  ) -> Report:
    """Reads the experiment of a directory; raises UsageError as `collect`.

    Args:
      recipes: reads how a run is made again (lm_jax/runs/run_command.py), which
        the page then shows.
    """
    return cls(collect.load(directory), recipes)

  def text(self) -> str:
    """Returns the report for a terminal, at most 100 columns."""
    return blocks.plain(
      page.summary(self._analysis, self._card, self._ranks, self._spread)
    )

  def main_table(self, form: str) -> str:
    """Returns the table of arms as "latex", "markdown", "csv" or "json"."""
    rows = dict(self._card.rows)
    answer = rows.get(blocks.ANSWER, "")
    return main_table.formatted(self._analysis, answer, form)

  def write(self) -> None:
    """Writes the files into the experiment's directory.

    Raises OSError if they can't be written.
    """
    experiment = self._experiment
    images, figures = plots.draw(self._analysis)
    content = page.build(
      self._analysis,
      self._card,
      self._ranks,
      images,
      self._spread,
      run_details.blocks(experiment, self._recipes),
    )
    publish(
      experiment.directory,
      experiment.subject.title,
      content,
      records.table_csv(experiment),
      figures,
    )


def table(directory: str | os.PathLike[str]) -> str:
  """Returns the report of an experiment as plain text."""
  return Report.load(directory).text()


def write(directory: str | os.PathLike[str]) -> None:
  """Writes the report of an experiment into its directory."""
  Report.load(directory).write()
