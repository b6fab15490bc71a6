"""What may be asked of `launch.py evaluate`."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from lm_jax.examples import task_paths as places_lib
from lm_jax.support import registry
from lm_jax.support.errors import UsageError
from lm_jax.support.options import Option

TASKS = "lm_jax.tasks"
Form = Literal["text", "json", "csv"]
Correction = Literal["none", "token", "byte", "unconditional", "calibrated"]
_MOST_SHOTS, _MOST_DRAWS, _MOST_SAMPLES = 1024, 100, 256


def schema() -> dict[str, Option]:
  """The flags."""
  own = (
    Option("model", str, "", "a run directory, or a Hugging Face directory"),
    Option(
      "tasks",
      tuple[str, ...],
      (),
      "what to measure: `list tasks`; by default what a run was fine-tuned for,"
      " or all that need nothing but the run",
    ),
    Option(
      "workdir",
      str,
      "",
      "a directory for results.json, results.csv, predictions/TASK.jsonl,"
      " report.html and report.md; the same command again reuses what is there",
    ),
    Option(
      "shots",
      tuple[int, ...],
      (),
      "examples in the prompt, 0,1,4: in-context learning; without it era and"
      " party are probes, and other labelled tasks have none",
    ),
    Option(
      "template",
      str,
      "",
      "one of `list templates`, or a file; by default the task's own, of a"
      " masked model TASK_cloze where there is one",
    ),
    Option(
      "correction",
      Correction,
      "none",
      "of the log-probabilities of choices, for the accuracy that is told"
      " first; the others are in json and csv",
    ),
    Option("draws", int, 3, "sets of examples, for all items each"),
    Option("seed", int, 0, "of the draws, of --limit and of samples"),
    Option("limit", int, 0, "items of each task, drawn by the seed; 0: all"),
    Option(
      "samples",
      int,
      1,
      "texts for each prompt of a template that reads answers from text, of"
      " which the commonest answer counts (self-consistency); of humaneval, of"
      " which pass@k is estimated",
    ),
    Option(
      "task_data",
      tuple[str, ...],
      (),
      "TASK=PATH: its examples in PATH/train.jsonl and PATH/test.jsonl, or"
      " PATH_train.jsonl and so on, gzipped or not; of tasks with a test only,"
      " PATH may be the file; may be given several times",
      repeat=True,
    ),
    Option(
      "run_generated_code",
      bool,
      False,
      "run programs that the model wrote, in a process that can open no file,"
      " no socket and no other process; without it humaneval measures nothing",
    ),
    Option(
      "embedder",
      str,
      "",
      "a model whose features compare the texts of continuations; by default"
      " the one that wrote them",
    ),
    Option(
      "predictions",
      str,
      "",
      "a .jsonl file to be: what each item was answered, and its score;"
      " `report --predictions` compares two",
    ),
    Option("format", Form, "text", "of what is printed"),
  )
  return {option.path: option for option in own}


@dataclasses.dataclass(frozen=True)
class Asked:
  """The flags, checked."""

  model: str
  tasks: tuple[str, ...]
  shots: tuple[int, ...] = ()
  template: str = ""
  correction: str = "none"
  draws: int = 3
  seed: int = 0
  limit: int = 0
  samples: int = 1
  run_generated_code: bool = False
  embedder: str = ""
  task_data: Mapping[str, str] = dataclasses.field(default_factory=dict)
  predictions: str = ""
  workdir: str = ""
  format: str = "text"

  @property
  def counts(self) -> tuple[int, ...]:
    """Numbers of shots, of tasks that are prompted for."""
    return self.shots or (0,)

  def flags(self) -> dict[str, Any]:
    """What numbers depend on, ready for JSON; of files, see task_data."""
    return {
      "shots": list(self.shots),
      "template": self.template,
      "correction": self.correction,
      "draws": self.draws,
      "seed": self.seed,
      "limit": self.limit,
      "samples": self.samples,
      "run_generated_code": self.run_generated_code,
      "embedder": self.embedder,
    }


def read(given: Mapping[str, Sequence[str]]) -> Asked:
  """Flags as they were given, or UsageError."""
  known = schema()
  values: dict[str, Any] = {
    path: known[path].parse(texts[-1])
    for path, texts in given.items()
    if path != "task_data"
  }
  return _checked(values, given.get("task_data", ()))


def of(
  model: str,
  tasks: Sequence[str],
  places: Mapping[str, str],
  options: Mapping[str, Any],
) -> Asked:
  """As `read`, from Python.

  Args:
    model: its directory.
    tasks: their names.
    places: of local files, by task.
    options: further flags, by name.

  Raises:
    UsageError: an unknown option, or a bad value.
  """
  known = schema()
  values: dict[str, Any] = {"model": model, "tasks": tuple(tasks)}
  for name, value in options.items():
    if name not in known or name in ("model", "tasks", "task_data", "format"):
      raise registry.unknown("option", name, known)
    if isinstance(value, os.PathLike):
      value = os.fspath(value)
    if name == "shots" and isinstance(value, int):
      value = (value,)
    values[name] = known[name].check(value, "evaluate")
  return _checked(values, [f"{name}={at}" for name, at in places.items()])


def _checked(values: dict[str, Any], places: Sequence[str]) -> Asked:
  """What was asked for, or UsageError."""
  if not values.get("model"):
    raise UsageError("--model: needed, a run or a Hugging Face directory")
  valid = registry.names(TASKS)
  tasks = values.get("tasks", ())
  for name in tasks:
    if name not in valid:
      raise registry.unknown("--tasks", name, valid)
  values["tasks"] = tuple(dict.fromkeys(tasks))
  for name, low, high in (
    ("draws", 1, _MOST_DRAWS),
    ("seed", 0, 2**31 - 1),
    ("limit", 0, 2**31 - 1),
    ("samples", 1, _MOST_SAMPLES),
  ):
    if name in values and not low <= values[name] <= high:
      raise UsageError(f"--{name}={values[name]}: must be {low} to {high}")
  shots = values.get("shots", ())
  if "shots" in values and not shots:
    raise UsageError("--shots: must name numbers, 0,1,4")
  for count in shots:
    if not 0 <= count <= _MOST_SHOTS:
      raise UsageError(f"--shots={count}: must be 0 to {_MOST_SHOTS}")
  values["shots"] = tuple(dict.fromkeys(shots))
  valid = values["tasks"] or registry.names(TASKS)
  values["task_data"] = places_lib.read(places, valid)
  return Asked(**values)
