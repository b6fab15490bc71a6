"""Results from Python: tables of pandas, and the figures of the pages."""

from __future__ import annotations

import dataclasses
import os
import pathlib
from typing import TYPE_CHECKING, Any

from lm_jax.support import optional, registry
from lm_jax.support.errors import UsageError

if TYPE_CHECKING:
  from matplotlib.figure import Figure
  from pandas import DataFrame

  from lm_jax.evaluation.results import Evaluation
  from lm_jax.report.collect import Experiment

BY = ("run", "arm")


def results(directory: str | os.PathLike, by: str = "run") -> DataFrame:
  """Reads the results of a directory as a table.

  Args:
    directory: of an experiment (`compare`), a run (`train`), an evaluation
      (`evaluate --workdir`) or a protocol of fine-tuning.
    by: "run": a row for each run of an experiment, with its swept values,
      size, parameters, budget, ledger and metrics; METRIC_low and METRIC_high
      are a 95 % interval over items, for that checkpoint only.
      "arm": a row for each arm, means over its seeds with the intervals and
      the differences to the baseline that the report has. Evaluations have a
      row for each number, protocols for each seed, whatever `by` is.

  Raises:
    UsageError: it holds nothing of these, or pandas is not installed.
  """
  if by not in BY:
    raise registry.unknown("results: by", str(by), BY)
  root = _existing(directory, "results")
  pandas = optional.need("pandas", "results", "pandas")
  return pandas.DataFrame(_records(root, by))


def plot(directory: str | os.PathLike, figure: str = "") -> Figure:
  """A figure of a directory's page, to be shown, changed or saved.

  Args:
    directory: as of `results`, but for protocols, which have no figures.
    figure: "differences", "curves_flops", "curves_tokens" or
      "validation_loss" of experiments and runs, "scores" of evaluations; by
      default the first that can be drawn.

  Raises:
    UsageError: there is no such figure, or nothing to draw.
  """
  import matplotlib

  from lm_jax.report.style import RC

  root = _existing(directory, "plot")
  # Outside of a test or a page nobody else sets matplotlib's defaults back.
  with matplotlib.rc_context(RC):
    makers = _makers(root)
    if figure and figure not in makers:
      raise registry.unknown("plot: figure", figure, makers)
    for stem, make in makers.items():
      drawn = make() if figure in ("", stem) else None
      if drawn is not None:
        return drawn
  raise UsageError(
    f"plot: figure={figure}: {root}: holds nothing yet that can be drawn"
  )


def _existing(directory: str | os.PathLike, what: str) -> pathlib.Path:
  """The directory, or UsageError where it is none of ours."""
  from lm_jax.evaluation import store
  from lm_jax.report import protocol
  from lm_jax.runs import record

  root = pathlib.Path(directory).expanduser()
  names = (record.FILE, store.RESULTS, protocol.FILE, "result.json")
  if not any((root / name).is_file() for name in names):
    raise UsageError(
      f"{what}: directory={root}: holds no experiment, run, evaluation or"
      f" protocol (no {', '.join(names)})"
    )
  return root


def _records(root: pathlib.Path, by: str) -> list[dict[str, Any]]:
  from lm_jax.report import compare, protocol, records

  evaluation = _evaluation(root)
  if evaluation is not None:
    names = ("path", "objective", "architecture", "digest")
    about = {f"model_{n}": evaluation.model[n] for n in names}
    return [about | dataclasses.asdict(row) for row in evaluation.rows]
  if (root / protocol.FILE).is_file():
    return protocol.records(root)
  experiment = _experiment(root)
  if by == "run":
    return records.from_runs(experiment)
  return records.from_arms(compare.analyse(experiment))


def _evaluation(root: pathlib.Path) -> Evaluation | None:
  from lm_jax.evaluation import store

  held = store.read(str(root))
  return held[0] if held else None


def _experiment(root: pathlib.Path) -> Experiment:
  """An experiment, or a run as one."""
  from lm_jax.report import collect
  from lm_jax.runs import record

  if (root / record.FILE).is_file():
    return collect.load(root)
  return collect.single(root)


def _makers(root: pathlib.Path) -> dict[str, Any]:
  """A function for each figure that a directory may have."""
  from lm_jax.evaluation import figures
  from lm_jax.report import compare, plots, protocol

  evaluation = _evaluation(root)
  if evaluation is not None:
    bars = figures.bars_of(evaluation.rows)
    return {"scores": lambda: figures.drawn("%", bars) if bars else None}
  if (root / protocol.FILE).is_file():
    raise UsageError(f"plot: directory={root}: a protocol has no figures")
  makers = plots.figures(compare.analyse(_experiment(root)))
  return {stem: make for stem, _, make in makers}
