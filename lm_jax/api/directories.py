"""Directories of experiments, runs, evaluations and protocols."""

from __future__ import annotations

import os
import pathlib
from typing import TYPE_CHECKING

from lm_jax.support.errors import UsageError

if TYPE_CHECKING:
  from lm_jax.evaluation.results import Evaluation
  from lm_jax.report.collect import Experiment


def existing(directory: str | os.PathLike, what: str) -> pathlib.Path:
  """Returns the directory, or raises UsageError where it is none of ours."""
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


def evaluation(root: pathlib.Path) -> Evaluation | None:
  from lm_jax.evaluation import store

  held = store.read(str(root))
  return held[0] if held else None


def experiment(root: pathlib.Path) -> Experiment:
  """An experiment, or a run as one."""
  from lm_jax.report import collect
  from lm_jax.runs import record

  if (root / record.FILE).is_file():
    return collect.load(root)
  return collect.single(root)
