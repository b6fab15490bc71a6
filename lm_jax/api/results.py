"""Results from Python: tables of runs and of arms, and of what else is kept."""

from __future__ import annotations

import dataclasses
import html
import os
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lm_jax.api import directories
from lm_jax.support import optional, registry

if TYPE_CHECKING:
  from pandas import DataFrame

Row = Mapping[str, Any]
_SHOWN = 60  # rows of a table in a notebook


class Table(Mapping[str, list]):
  """A table: a dict of its columns by name, each a list.

  rows: the same, a dict each.
  """

  def __init__(self, rows: Sequence[Row]):
    names = dict.fromkeys(name for row in rows for name in row)
    self.rows: list[dict[str, Any]] = [
      {name: row.get(name) for name in names} for row in rows
    ]
    self._columns = {name: [row[name] for row in self.rows] for name in names}

  @property
  def columns(self) -> list[str]:
    """The names of the columns."""
    return list(self._columns)

  def __getitem__(self, name: str) -> list:
    if name not in self._columns:
      raise KeyError(str(registry.unknown("column", name, self._columns)))
    return self._columns[name]

  def __iter__(self) -> Iterator[str]:
    return iter(self._columns)

  def __len__(self) -> int:
    """The number of columns, as of a dict."""
    return len(self._columns)

  def __repr__(self) -> str:
    return f"Table({len(self.rows)} rows: {', '.join(self._columns)})"

  def _repr_html_(self) -> str:
    """Shows it in a notebook."""
    head = "".join(f"<th>{html.escape(name)}</th>" for name in self)
    body = "".join(
      "<tr>"
      + "".join(f"<td>{html.escape(_shown(v))}</td>" for v in row.values())
      + "</tr>"
      for row in self.rows[:_SHOWN]
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"

  def to_pandas(self) -> DataFrame:
    """A pandas table.

    Raises:
      UsageError: pandas is not installed (the extra `pandas`).
    """
    pandas = optional.need("pandas", "results", "pandas")
    return pandas.DataFrame(self.rows, columns=self.columns)


class Results(Table):
  """The table of runs (or of numbers), and that of arms.

  arms: means over seeds with intervals (METRIC_low, METRIC_high), and the
    differences to the baseline, as the report has them; no rows where a
    directory has no arms.
  """

  def __init__(self, runs: Sequence[Row], arms: Sequence[Row] = ()):
    super().__init__(runs)
    self.arms = Table(arms)


def results(directory: str | os.PathLike) -> Results:
  """Reads the results of a directory as tables.

  `results(DIR)["minimal_pairs"]` is a column, `.rows` are dicts, `.arms` is the
  table of arms, and `.to_pandas()` makes a DataFrame of either.

  Args:
    directory: of an experiment (`compare`), a run (`train`), an evaluation
      (`evaluate --workdir`) or a protocol of fine-tuning. An experiment has a
      row for each run: name, arm, seed, status; swept values, objective,
      architecture, size, length, batch_size, budget, corpus, tokenizer;
      parameters, ledger and metrics; digest and commit. METRIC_low and
      METRIC_high are a 95 % interval over items, for that checkpoint only.
      Evaluations have a row for each number, protocols for each seed.

  Raises:
    UsageError: it holds nothing of these.
  """
  root = directories.existing(directory, "results")
  evaluation = directories.evaluation(root)
  if evaluation is not None:
    names = ("path", "objective", "architecture", "digest")
    about = {f"model_{n}": evaluation.model[n] for n in names}
    return Results([about | dataclasses.asdict(row) for row in evaluation.rows])
  return _of_runs(root)


def _of_runs(root: pathlib.Path) -> Results:
  from lm_jax.report import compare, protocol, records

  if (root / protocol.FILE).is_file():
    return Results(protocol.records(root))
  experiment = directories.experiment(root)
  analysis = compare.analyse(experiment.independent().at_look())
  return Results(records.from_runs(experiment), records.from_arms(analysis))


def _shown(value: Any) -> str:
  if value is None:
    return ""
  return f"{value:.4g}" if isinstance(value, float) else str(value)
