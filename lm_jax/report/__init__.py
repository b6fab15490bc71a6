"""The report of an experiment: results.csv, report.md, report.html, figures.

A pure function of the experiment directory: writing it again changes nothing,
and a directory whose runs are partial, failed or missing has one too.
"""

from __future__ import annotations

import dataclasses
import os
import secrets
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

__all__ = ["Report", "table", "write"]


@dataclasses.dataclass(frozen=True)
class Report:
  """What `write` left, and how many of the experiment's runs are done."""

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
  """Writes a file at once: nobody ever sees half of it."""
  part = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
  try:
    part.write_bytes(data)
    os.replace(part, path)
  except OSError:
    part.unlink(missing_ok=True)
    raise
  return path


def table(directory: str | os.PathLike[str]) -> str:
  """The report as plain text for a terminal, at most 100 columns.

  Raises UsageError as `collect.load` does.
  """
  analysis = compare.analyse(collect.load(directory))
  found = ranking.rankings(analysis.experiment, analysis.metric)
  return blocks.plain(page.summary(analysis, found))


def write(directory: str | os.PathLike[str]) -> Report:
  """Writes the report's files into an experiment directory.

  Raises UsageError as `collect.load` does, OSError if it can't be written.
  """
  experiment = collect.load(directory)
  analysis = compare.analyse(experiment)
  found = ranking.rankings(experiment, analysis.metric)
  images, files = plots.draw(analysis)
  content = page.whole(analysis, found, images)
  svg = {image.stem: files[f"{image.stem}.svg"] for image in images}
  root = experiment.directory
  (root / "figures").mkdir(exist_ok=True)
  figures = [replace(root / "figures" / n, files[n]) for n in files]
  texts = {
    "results.csv": collect.table_csv(experiment),
    "report.md": blocks.markdown(content),
    "report.html": web.to_html(content, experiment.subject.title, svg),
  }
  csv, markdown, html = (
    replace(root / name, text.encode()) for name, text in texts.items()
  )
  done = experiment.count()
  return Report(csv, markdown, html, tuple(figures), done, len(experiment.runs))
