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
  sweep_tables,
  sweeps,
  translated,
  web,
)
from lm_jax.report import language as language_lib
from lm_jax.report.language import Code

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
  language: Code = "en",
) -> None:
  """Writes a report: its figures, its CSV, report.md and report.html.

  Args:
    root: an existing directory.
    figures: their bytes by file name, each as .svg and .png. The HTML page
      holds the SVG of every Image in `content`.
    language: of its words, of those that are known in it.
  """
  said = language_lib.load(language)
  content = translated.blocks(content, said)
  svg = {Path(n).stem: figures[n] for n in figures if n.endswith(".svg")}
  if figures:
    (root / "figures").mkdir(exist_ok=True)
  for name, data in figures.items():
    replace(root / "figures" / name, data)
  texts = {
    csv_name: csv,
    "report.md": blocks.markdown(content),
    "report.html": web.to_html(content, said.say(title), svg, said),
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
      sweep_tables.answer(sweeps.read(self._analysis)),
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

  def text(self, language: Code = "en") -> str:
    """Returns the report for a terminal, at most 100 columns."""
    content = page.summary(
      self._analysis, self._card, self._ranks, self._spread
    )
    said = language_lib.load(language)
    return blocks.plain(translated.blocks(content, said))

  def main_table(self, form: str, language: Code = "en") -> str:
    """Returns the table of arms as "latex", "markdown", "csv" or "json".

    language: of words for people, that is of the first two.
    """
    rows = dict(self._card.rows)
    answer = rows.get(blocks.ANSWER, "")
    said = language_lib.load(language)
    return main_table.formatted(self._analysis, answer, form, said)

  def write(self, language: Code = "en") -> None:
    """Writes the files into the experiment's directory.

    Raises OSError if they can't be written.
    """
    experiment = self._experiment
    said = language_lib.load(language)
    images, figures = plots.draw(self._analysis, said)
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
      language=language,
    )
    arms = records.arms_csv(self._analysis)
    replace(experiment.directory / "arms.csv", arms.encode())


def table(directory: str | os.PathLike[str]) -> str:
  """Returns the report of an experiment as plain text."""
  return Report.load(directory).text()


def write(directory: str | os.PathLike[str]) -> None:
  """Writes the report of an experiment into its directory."""
  Report.load(directory).write()
