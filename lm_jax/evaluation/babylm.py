"""Writes results in the layout that BabyLM's pipelines collect.

Those are babylm/evaluation-pipeline-2025 and the pipeline of Chinese BabyLM
2026, which is a fork of it: main/zero_shot/BACKEND/TASK/DATA/ with
predictions.json and best_temperature_report.txt, main/finetune/TASK/ with
predictions.json and results.txt; and Chinese BabyLM's file for its leaderboard.
"""

from __future__ import annotations

import json
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from lm_jax.evaluation.flags import TASKS
from lm_jax.evaluation.results import HEAD, OWN, Outcome
from lm_jax.storage import disk
from lm_jax.storage.log import write_atomically
from lm_jax.support import registry, strict_json
from lm_jax.support.errors import UsageError
from lm_jax.tasks.base import LabelledTask, Task

# Names of the pipelines' ways to score a sentence, by ours.
BACKENDS = {"log_likelihood": "causal", "pseudo_log_likelihood": "mlm"}
LEADERBOARD = "leaderboard.json"
# What the leaderboard of Chinese BabyLM has a column for, in its order.
_COLUMNS = (
  *("zhoblimp", "hanzi_structure", "hanzi_pinyin"),
  *("afqmc", "ocnli", "tnews", "cluewsc2020"),
)
# Names of metrics in results.txt.
_METRICS = {"accuracy": "accuracy", "f1": "f1", "matthews": "mcc"}
_PREDICTIONS = "predictions.json"


def check(directory: str, limit: int) -> None:
  """Raises UsageError unless results can be written there.

  Args:
    directory: of --babylm.
    limit: of --limit.
  """
  flag = f"--babylm={directory}"
  if limit:
    raise UsageError(
      f"{flag}: BabyLM collects the answers to all items; leave out --limit"
    )
  if pathlib.Path(directory).is_file():
    raise UsageError(f"{flag}: is a file; name a directory")


def write(
  directory: str,
  outcomes: Sequence[Outcome],
  places: Mapping[str, str],
) -> list[pathlib.Path]:
  """Writes what the pipelines know of an evaluation.

  Args:
    directory: results/MODEL, where results of other calls may be.
    outcomes: of tasks; those that are neither of pairs nor of a fine-tuned
      model's labels are left out.
    places: of local files, by task.

  Returns:
    The directories that were written.

  Raises:
    UsageError: a directory is there already; or a way to score that the
      pipelines do not have.
  """
  root, scores = pathlib.Path(directory), {}
  planned: dict[pathlib.Path, dict[str, str]] = {}
  for outcome in outcomes:
    row, records = outcome.rows[0], outcome.predictions
    if row.way == OWN and records and "good" in records[0]:
      data = _data(outcome.task, places.get(outcome.task, ""))
      task = "zhoblimp" if "zhoblimp" in data else outcome.task
      backend = BACKENDS.get(row.scoring)
      if backend is None:
        raise UsageError(
          f"--babylm={directory}: {outcome.task} was scored by {row.scoring};"
          f" BabyLM's pipelines have {', '.join(BACKENDS)}"
        )
      folder = root / "main" / "zero_shot" / backend / task / data
      by_uid = _by_uid(records)
      means = {uid: _mean(own) for uid, own in by_uid.items()}
      scores[task] = sum(means.values()) / len(means)
      planned[folder] = {
        _PREDICTIONS: json.dumps(_chosen(by_uid), ensure_ascii=False),
        "best_temperature_report.txt": _report(means, scores[task]),
      }
    elif row.way == HEAD and (labels := _labels(outcome)):
      folder = root / "main" / "finetune" / outcome.task
      metrics = {
        _METRICS[x.metric]: x.value
        for x in outcome.rows
        if x.metric in _METRICS
      }
      scores[outcome.task] = metrics["accuracy"]
      answers = [
        {"id": f"{outcome.task}_{i}", "pred": labels.index(x["predicted"])}
        for i, x in enumerate(records)
      ]
      planned[folder] = {
        _PREDICTIONS: json.dumps({outcome.task: {"predictions": answers}}),
        "results.txt": "\n".join(f"{k}: {v}" for k, v in metrics.items()),
      }
  for folder in planned:
    if (folder / _PREDICTIONS).exists():
      raise UsageError(
        f"--babylm={directory}: {folder / _PREDICTIONS} is there already;"
        " remove it, or name another directory"
      )
  with disk.disk_errors_as_usage(f"--babylm={directory}"):
    for folder, content in planned.items():
      folder.mkdir(parents=True, exist_ok=True)
      for name, text in content.items():
        write_atomically(folder / name, text)
    if planned:
      _add_to_leaderboard(root / LEADERBOARD, scores)
  return list(planned)


def _data(task: str, place: str) -> str:
  """Names the data set as the pipelines do: by its directory or file."""
  if task != "blimp":
    return task
  return pathlib.Path(place).name.partition(".")[0] if place else task


def _by_uid(records: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
  by_uid: dict[str, list[Any]] = {}
  for record in records:
    by_uid.setdefault(record["id"].rpartition("/")[0], []).append(record)
  return by_uid


def _mean(records: Sequence[Mapping[str, Any]]) -> float:
  return sum(record["score"] for record in records) / len(records)


def _chosen(by_uid: Mapping[str, Sequence[Any]]) -> dict[str, Any]:
  """Returns the sentences that the model prefers; of a tie the first."""
  return {
    uid: {
      "predictions": [
        {
          "id": f"{uid}_{i}",
          "pred": x["good" if x["scores"][0] >= x["scores"][1] else "bad"],
        }
        for i, x in enumerate(records)
      ]
    }
    for uid, records in by_uid.items()
  }


def _report(means: Mapping[str, float], mean: float) -> str:
  """Writes accuracies of paradigms, in percent, as the pipeline prints them."""
  lines = ["TEMPERATURE: 1.00", "", "### UID ACCURACY"]
  lines += [f"{uid}: {100 * value:.2f}" for uid, value in means.items()]
  lines += ["", "### AVERAGE ACCURACY", f"{100 * mean:.2f}", "", ""]
  return "\n".join(lines)


def _labels(outcome: Outcome) -> tuple[str, ...]:
  """Returns the labels of a task in the order of their numbers; () if none."""
  kind = registry.find(TASKS, outcome.task, Task, "--tasks")
  return kind.form.labels if issubclass(kind, LabelledTask) else ()


def _add_to_leaderboard(
  path: pathlib.Path, scores: Mapping[str, float]
) -> None:
  known = strict_json.read(path, LEADERBOARD) if path.exists() else {}
  if not isinstance(known, dict):
    raise UsageError(f"{path}: must be an object")
  known |= {task: {"accuracy": value} for task, value in scores.items()}
  ordered = {task: known[task] for task in _COLUMNS if task in known}
  if ordered:
    write_atomically(path, json.dumps(ordered, indent=2) + "\n")
