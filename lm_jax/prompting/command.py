"""`python launch.py evaluate` of tasks that a model is prompted for."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from lm_jax import registry
from lm_jax.data import labelled
from lm_jax.data.labelled import Example
from lm_jax.errors import UsageError
from lm_jax.options import Option
from lm_jax.prompting import template
from lm_jax.tasks.base import LabelledTask, Task

TASKS = "lm_jax.tasks"
Form = Literal["text", "json", "csv"]
Correction = Literal["none", "token", "byte", "unconditional", "calibrated"]
_MOST_SHOTS, _MOST_DRAWS, _MOST_SAMPLES = 1024, 100, 256


def schema() -> dict[str, Option]:
  """The flags."""
  own = (
    Option("model", str, "", "a run directory, or a Hugging Face directory"),
    Option("tasks", tuple[str, ...], (), "what to measure: `list tasks`"),
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
      " which the commonest answer counts (self-consistency)",
    ),
    Option(
      "task_data",
      tuple[str, ...],
      (),
      "TASK=PATH: its examples in PATH/train.jsonl and PATH/test.jsonl, or"
      " PATH_train.jsonl and so on, gzipped or not; may be given several times",
      repeat=True,
    ),
    Option("predictions", str, "", "a .jsonl file to be: each item's scores"),
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
  task_data: Mapping[str, str] = dataclasses.field(default_factory=dict)
  predictions: str = ""
  format: str = "text"


def read(given: Mapping[str, Sequence[str]]) -> Asked:
  """Flags as they were given, or UsageError."""
  known = schema()
  values: dict[str, Any] = {
    path: known[path].parse(texts[-1])
    for path, texts in given.items()
    if path != "task_data"
  }
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
  if "shots" in given and not shots:
    raise UsageError("--shots: must name numbers, 0,1,4")
  for count in shots:
    if not 0 <= count <= _MOST_SHOTS:
      raise UsageError(f"--shots={count}: must be 0 to {_MOST_SHOTS}")
  values["shots"] = tuple(dict.fromkeys(shots))
  values["task_data"] = _places(given.get("task_data", ()), values["tasks"])
  return Asked(**values)


def _places(texts: Sequence[str], tasks: Sequence[str]) -> dict[str, str]:
  found = {}
  for text in texts:
    name, equals, place = text.partition("=")
    if not equals or not place:
      raise UsageError(f"--task_data={text}: must be TASK=PATH")
    if name not in tasks:
      raise registry.unknown("--task_data", name, tasks)
    found[name] = place
  return found


def split(asked: Asked) -> tuple[list[str], list[LabelledTask]]:
  """Names of tasks that measure by themselves, and those to be prompted for.

  Raises:
    UsageError: --shots of a task without examples.
  """
  alone: list[str] = []
  prompted: list[LabelledTask] = []
  for name in asked.tasks:
    task = registry.find(TASKS, name, Task, "--tasks")()
    if not isinstance(task, LabelledTask):
      if asked.shots:
        raise UsageError(f"--shots: {name} has no examples to be shown")
      alone.append(name)
    elif asked.shots or type(task).measure is LabelledTask.measure:
      prompted.append(task)
    else:
      alone.append(name)
  if asked.shots and not prompted:
    raise UsageError("--shots: needs --tasks, of those with labels")
  if prompted and alone:
    raise UsageError(
      f"--tasks: {alone[0]} is measured without a prompt, and"
      f" {prompted[0].name} with one: one after the other"
    )
  return alone, prompted


def main(given: Mapping[str, Sequence[str]]) -> int:
  """Evaluates as flags ask; returns the exit code."""
  asked = read(given)
  alone, prompted = split(asked)
  if prompted:
    return _prompted(asked, prompted)
  for name in ("predictions", "template", "task_data"):
    if getattr(asked, name):
      raise UsageError(f"--{name}: is for tasks with --shots")
  if asked.format != "text":
    raise UsageError(f"--format={asked.format}: is for tasks with --shots")
  from lm_jax import api

  for key, value in api.evaluate(asked.model, alone).items():
    print(f"{key}: {value}")
  return 0


def _prompted(asked: Asked, tasks: Sequence[LabelledTask]) -> int:
  shots = asked.shots or (0,)
  out = pathlib.Path(asked.predictions) if asked.predictions else None
  if out is not None:
    _require_new(out)
  if asked.template:
    template.load(asked.template)  # Raises before anything else is read.
  data = {task.name: _examples(task, asked, max(shots)) for task in tasks}
  from lm_jax import trained
  from lm_jax.prompting import cloze, judges, show
  from lm_jax.prompting.in_context import measure
  from lm_jax.prompting.prompt import Prompter

  model = trained.load(asked.model)
  what = f"--model={asked.model}"
  if model.tokenizer is None:
    raise UsageError(f"{what}: the model has no tokenizer files beside it")
  prompters, asking = {}, {}
  for task in tasks:
    name = asked.template or judges.template_for(task.name, model)
    prompter = Prompter(task, template.load(name), cloze.BLANK)
    prompters[task.name] = prompter
    asking[task.name] = judges.make(
      model, what, prompter.template, asked.samples
    )
    judges.require_correction(
      asked.correction, asking[task.name], prompter.template
    )
  tables, records = [], []
  for task in tasks:
    train, items = data[task.name]
    prompter, judge = prompters[task.name], asking[task.name]
    table = show.Table(task.name, prompter, judge, items, asked)
    if asked.format == "text":
      print("\n".join(table.head()), flush=True)
    for count in shots:
      result = measure(
        prompter, judge, train, items, count, asked.draws, asked.seed
      )
      table.results.append(result)
      records += table.records(result)
      if asked.format == "text":
        print(table.line(result), flush=True)
    tables.append(table)
  if out is not None:
    out.write_text("".join(f"{record}\n" for record in records))
  if asked.format != "text":
    print(show.as_json(tables) if asked.format == "json" else show.csv(tables))
  return 0


def _examples(
  task: LabelledTask, asked: Asked, shots: int
) -> tuple[list[Example], list[Example]]:
  """For training, if any are shown, and the items."""
  place = asked.task_data.get(task.name, "")
  from lm_jax.prompting.in_context import chosen, require_examples

  train = task.examples(labelled.TRAIN, place) if shots else []
  require_examples(task.name, train, shots)
  items = task.examples(labelled.TEST, place)
  return train, chosen(items, asked.limit, asked.seed)


def _require_new(path: pathlib.Path) -> None:
  where = f"--predictions={path}"
  if path.exists():
    raise UsageError(f"{where}: is there already; name another file")
  if not path.parent.is_dir():
    raise UsageError(f"{where}: {path.parent} is no directory")
