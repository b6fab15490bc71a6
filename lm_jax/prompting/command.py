"""`python launch.py evaluate`, of tasks with prompts and without."""

from __future__ import annotations

import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from lm_jax import registry
from lm_jax.data import labelled
from lm_jax.data.labelled import Example
from lm_jax.errors import UsageError
from lm_jax.prompting import template
from lm_jax.prompting.asked import TASKS, Asked, read, split
from lm_jax.tasks.base import DataTask, LabelledTask, Task

if TYPE_CHECKING:
  from lm_jax.prompting.show import Table


def main(given: Mapping[str, Sequence[str]]) -> int:
  """Evaluates as flags ask; returns the exit code."""
  asked = read(given)
  alone, prompted = split(asked)
  if prompted:
    return _prompted(asked, prompted)
  for name in ("predictions", "template"):
    if getattr(asked, name):
      raise UsageError(f"--{name}: is for tasks with --shots")
  for name in asked.task_data:
    if not issubclass(registry.find(TASKS, name, Task, "--tasks"), DataTask):
      raise UsageError(f"--task_data={name}: is for tasks with --shots")
  if asked.format != "text":
    raise UsageError(f"--format={asked.format}: is for tasks with --shots")
  from lm_jax import api

  def prepare(task: DataTask) -> None:
    task.place = asked.task_data.get(task.name, "")
    task.limit, task.seed = asked.limit, asked.seed
    task.samples = asked.samples
    task.run_generated_code = asked.run_generated_code

  for key, value in api.evaluate(asked.model, alone, prepare).items():
    print(f"{key}: {value}")
  return 0


def _prompted(asked: Asked, tasks: Sequence[LabelledTask]) -> int:
  from lm_jax.prompting import show

  as_text = asked.format == "text"
  tables = evaluate(asked, print_line if as_text else None, tasks)
  if not as_text:
    print(show.as_json(tables) if asked.format == "json" else show.csv(tables))
  return 0


def print_line(text: str) -> None:
  """At once, for those who wait."""
  print(text, flush=True)


def evaluate(
  asked: Asked,
  tell: Callable[[str], None] | None = None,
  tasks: Sequence[LabelledTask] = (),
) -> list[Table]:
  """Asks a model; writes the file of predictions, if there is to be one.

  Args:
    asked: which model, tasks, shots and so on.
    tell: gets the lines of the tables as they come.
    tasks: those of `asked` that are prompted for; () finds them.

  Returns:
    a table for each task, in order.

  Raises:
    UsageError: before anything is asked.
  """
  from lm_jax import trained
  from lm_jax.prompting import cloze, judges
  from lm_jax.prompting.in_context import measure
  from lm_jax.prompting.prompt import Prompter
  from lm_jax.prompting.show import Table

  tasks = tasks or split(asked)[1]
  shots = asked.shots or (0,)
  out = pathlib.Path(asked.predictions) if asked.predictions else None
  if out is not None:
    _require_new(out)
  if asked.template:
    template.load(asked.template)  # Raises before anything else is read.
  data = {task.name: _examples(task, asked, max(shots)) for task in tasks}
  model = trained.load(asked.model)
  what = f"--model={asked.model}"
  if model.tokenizer is None:
    raise UsageError(f"{what}: the model has no tokenizer files beside it")
  tables, records = [], []
  for task in tasks:
    name = asked.template or judges.template_for(task.name, model)
    prompter = Prompter(task, template.load(name), cloze.BLANK)
    judge = judges.make(model, what, prompter.template, asked.samples)
    judges.require_correction(asked.correction, judge, prompter.template)
    items = data[task.name][1]
    tables.append(Table(task.name, prompter, judge, items, asked))
  for table in tables:
    train, items = data[table.task]
    lines = table.head()
    for count in shots:
      result = measure(
        *(table.prompter, table.judge, train, items),
        *(count, asked.draws, asked.seed),
      )
      table.results.append(result)
      records += table.records(result)
      lines.append(table.line(result))
      if tell is not None:
        tell("\n".join(lines))
      lines = []
  if out is not None:
    text = "".join(f"{record}\n" for record in records)
    out.write_text(text, encoding="utf-8")
  return tables


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
