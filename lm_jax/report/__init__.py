"""The report of an experiment: results.csv, report.md, report.html, figures.

A pure function of the experiment directory: writing it again changes nothing,
and a directory whose runs are partial, failed or missing has one too.
"""

from __future__ import annotations

import dataclasses
import os
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path

from lm_jax.report import (
  blocks,
  collect,
  compare,
  page,
  plots,
  ranking,
  web,
)

__all__ = ["Report", "publish", "table", "write"]


@dataclasses.dataclass(frozen=True)
class Report:
  """The files that `write` wrote, and how many of the runs are done."""

  csv: Path
  markdown: Path
  html: Path
  figures: tuple[Path, ...]
  done: int
  planned: int

  @property
  def complete(self) -> bool:
    return self.done == self.planned


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
    title: of the HTML page.
    content: of both pages.
    csv: the text of the CSV file.
    figures: their bytes by file name, each as .svg and .png. The HTML page
      holds the SVG of every Image in `content`.
    csv_name: the CSV's file name.
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


def table(directory: str | os.PathLike[str]) -> str:
  """Writes the report as plain text for a terminal, at most 100 columns.

  Raises UsageError as `collect.load` does.
  """
  analysis = compare.analyse(collect.load(directory))
  ranks = ranking.rankings(analysis.experiment, analysis.metric)
  return blocks.plain(page.summary(analysis, ranks))


def write(directory: str | os.PathLike[str]) -> Report:
  """Writes the report's files into an experiment directory.

  Raises UsageError as `collect.load` does, OSError if it can't be written.
  """
  experiment = collect.load(directory)
  analysis = compare.analyse(experiment)
  ranks = ranking.rankings(experiment, analysis.metric)
  images, figures = plots.draw(analysis)
  root = experiment.directory
  publish(
    root,
    experiment.subject.title,
    page.build(analysis, ranks, images),
    collect.table_csv(experiment),
    figures,
  )
  return Report(
    root / "results.csv",
    root / "report.md",
    root / "report.html",
    figures=tuple(root / "figures" / name for name in figures),
    done=experiment.count(),
    planned=len(experiment.runs),
  )
