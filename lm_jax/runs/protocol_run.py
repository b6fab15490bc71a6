"""Carries a protocol out: trials, the best one's other seeds, and prompts."""

from __future__ import annotations

import itertools
import json
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from lm_jax.config import Config, resolve
from lm_jax.finetuning.dataset import find_task
from lm_jax.runs import execute, record
from lm_jax.runs import protocol as protocol_lib
from lm_jax.runs.protocol import PROMPT, Arm, Cell, Protocol
from lm_jax.runs.run import Run
from lm_jax.storage import lock, workdir
from lm_jax.storage.log import write_atomically
from lm_jax.storage.result_file import Result
from lm_jax.support import file_names
from lm_jax.support import status as status_lib
from lm_jax.support.errors import UsageError

# How each objective answers, as the table says it.
HEADS = {
  "classify": "label of the text, {pool} token",
  "multiple_choice": "score of each candidate, {pool} token",
  "regress": "number of the text, {pool} token",
  "label_tokens": "label of each token",
  "extract": "start and end of a span",
  "respond": "text to text",
  "embed": "pooled states",
}


def main(given: Mapping[str, Sequence[str]], command: str) -> int:
  """Runs a protocol and writes its report; returns the exit code."""
  from lm_jax.report import protocol as report

  asked = protocol_lib.read(given)
  cells = protocol_lib.cells(asked)
  trials = [Run(config) for cell in cells for config in cell.trials]
  prompts: list[tuple[Arm, str]] = []
  if PROMPT in asked.methods:
    prompts = list(itertools.product(asked.arms, asked.tasks))
  _check_place(asked)
  workdir.create(asked.directory)
  with lock.hold(asked.directory):
    statuses = execute.execute(trials, retry=True)
    chosen = {cell.name: protocol_lib.best_trial(cell) for cell in cells}
    if status_lib.INTERRUPTED not in statuses.values():
      others = [
        Run(config)
        for cell in cells
        if (best := chosen[cell.name]) is not None
        for config in protocol_lib.further(asked, cell, best)
      ]
      statuses |= execute.execute(others, retry=True)
    if status_lib.INTERRUPTED not in statuses.values():
      for arm, task in prompts:
        _ask(asked, arm, task)
    _write(asked, cells, chosen, prompts, command)
  if status_lib.INTERRUPTED not in statuses.values():
    print(report.write(asked.directory))
    print(f"{asked.directory}/report.html")
  return execute.exit_code(statuses)


def _check_place(asked: Protocol) -> None:
  """Raises UsageError if the directory holds something else."""
  path = pathlib.Path(asked.directory)
  if (path / "config.json").exists() or (path / "experiment.json").exists():
    raise UsageError(
      f"--workdir={asked.directory}: holds a run or an experiment; name another"
      " directory"
    )
  workdir.check(asked.directory)


def _place(asked: Protocol, arm: Arm, task: str, seed: int) -> pathlib.Path:
  folder = pathlib.Path(asked.directory, "runs")
  text = f"{arm.name}-{task}-{PROMPT}-seed{seed}"
  return folder / file_names.in_folder(folder, text)


def _ask(asked: Protocol, arm: Arm, task: str) -> None:
  """Prompts each of an arm's models; what is there already is reused."""
  from lm_jax.evaluation import evaluate
  from lm_jax.evaluation.flags import EvaluateFlags

  metric = find_task(task).primary
  for seed, directory in enumerate(arm.directories[: asked.seeds]):
    place = _place(asked, arm, task, seed)
    if (place / "result.json").exists():
      continue
    data = (f"{task}={asked.task_data[task]}",) * (task in asked.task_data)
    question = EvaluateFlags(
      directory, (task,), shots=(asked.shots,), task_data=data, draws=1
    )
    result = Result(status=status_lib.FAILED, name=place.name, seed=seed)
    try:
      evaluation = evaluate.evaluate(question)
    except UsageError as error:
      result.error = str(error)
    else:
      [outcome] = evaluation.outcomes
      asked_with = f"{task}/{asked.shots} shots/"
      value = evaluation.get(f"{asked_with}{metric}")
      scores = [float(p["score"]) for p in outcome.predictions]
      if value is None:
        result.error = f"gives no {metric}"
      else:
        result.status = status_lib.DONE
        result.metrics = {
          f"{task}/{name.removeprefix(asked_with)}": value
          for name, value in evaluation.items()
          if name.startswith(asked_with)
        }
        result.items = {task: scores}
    place.mkdir(parents=True, exist_ok=True)
    result.write(place / "result.json")


def _write(
  asked: Protocol,
  cells: Sequence[Cell],
  chosen: Mapping[str, Config | None],
  prompts: Sequence[tuple[Arm, str]],
  command: str,
) -> None:
  """protocol.json: what was asked for, and which runs make the table."""
  described = [_cell(asked, cell, chosen[cell.name]) for cell in cells]
  described += [
    {
      "arm": arm.name,
      "task": task,
      "method": PROMPT,
      "metric": find_task(task).primary,
      "head": f"prompt, {asked.shots} shots",
      "runs": [
        _place(asked, arm, task, seed).name
        for seed in range(len(arm.directories[: asked.seeds]))
      ],
    }
    for arm, task in prompts
  ]
  order = {task: i for i, task in enumerate(asked.tasks)}
  described.sort(key=lambda cell: order[cell["task"]])
  content = {
    "name": pathlib.Path(asked.directory).name,
    "baseline": asked.baseline,
    "seeds": asked.seeds,
    "sweeps": {path: list(values) for path, values in asked.sweeps.items()},
    "models": {arm.name: list(arm.directories) for arm in asked.arms},
    "cells": described,
    **record.provenance(command),
  }
  path = pathlib.Path(asked.directory, protocol_lib.FILE)
  write_atomically(path, json.dumps(content, indent=2) + "\n")


def _cell(asked: Protocol, cell: Cell, best: Config | None) -> dict[str, Any]:
  config = resolve(best or cell.trials[0])
  runs: list[str] = []
  values: Mapping[str, str] = {}
  if best is not None:
    runs = [best.name]
    runs += [c.name for c in protocol_lib.further(asked, cell, best)]
    values = cell.values_of(best)
  pool = "first" if config.architecture == "encoder" else "last"
  return {
    "arm": cell.arm.name,
    "task": cell.task,
    "method": cell.method,
    "metric": find_task(cell.task).primary,
    "head": HEADS.get(config.objective, config.objective).format(pool=pool),
    "runs": runs or [trial.name for trial in cell.trials[:1]],
    "trials": [trial.name for trial in cell.trials],
    "chosen": ", ".join(
      f"{path.rpartition('.')[2]} {value}" for path, value in values.items()
    ),
    "why": "" if best else "no trial is done",
  }
