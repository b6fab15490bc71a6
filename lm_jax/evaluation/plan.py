"""Which way each task is measured."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from lm_jax.evaluation import fine_tuned
from lm_jax.evaluation.flags import TASKS, Asked
from lm_jax.evaluation.results import HEAD, OWN, PROMPT
from lm_jax.support import invocation, registry
from lm_jax.support.errors import UsageError
from lm_jax.tasks.base import DataTask, LabelledTask, SupervisedTask, Task


class Planned(NamedTuple):
  """A task and how it is to be measured: results.OWN, PROMPT or HEAD.

  named: whether it was asked for by name; otherwise it may not apply.
  """

  name: str
  task: Task
  way: str
  named: bool = True


def plan(asked: Asked) -> list[Planned]:
  """The tasks of a call, in their order.

  None named: of a fine-tuned run its own task, else all that measure by
  themselves.

  Raises:
    UsageError: a flag is for tasks that there are none of, or a task needs a
      model that was fine-tuned for it.
  """
  if asked.shots and not asked.tasks:
    raise UsageError("--shots: needs --tasks, of those with labels")
  own = fine_tuned.task_of(asked.model)
  names: Sequence[str] = asked.tasks or ((own,) if own else ())
  found = [_named(name, own, asked) for name in names]
  if not names:
    tasks = {name: _task(name) for name in registry.names(TASKS)}
    found = [
      Planned(name, task, OWN, named=False)
      for name, task in tasks.items()
      if type(task).measure is not SupervisedTask.measure
      and not isinstance(task, DataTask)
    ]
  _check(asked, found)
  return found


def _task(name: str) -> Task:
  return registry.find(TASKS, name, Task, "--tasks")()


def _named(name: str, own: str, asked: Asked) -> Planned:
  task = _task(name)
  if not isinstance(task, SupervisedTask):
    return Planned(name, task, OWN)
  if isinstance(task, LabelledTask) and asked.shots:
    return Planned(name, task, PROMPT)
  if fine_tuned.answers(own, task):
    return Planned(name, task, HEAD)
  if type(task).measure is not SupervisedTask.measure:
    return Planned(name, task, OWN)
  if isinstance(task, LabelledTask):
    return Planned(name, task, PROMPT)
  raise UsageError(
    f"--tasks={name}: is answered by models that are fine-tuned for it"
    f" (`{invocation.program()} finetune --task={name}"
    f" --model={asked.model}`), and"
    f" --model={asked.model} is fine-tuned for {own or 'none'}"
  )


def _check(asked: Asked, found: Sequence[Planned]) -> None:
  """Raises UsageError where a flag has no task that it is for."""
  prompted = [p.name for p in found if p.way == PROMPT]
  if asked.shots and not prompted:
    raise UsageError(f"--shots: {found[0].name} has no examples to be shown")
  if asked.template and not prompted:
    raise UsageError("--template: is for tasks with --shots")
  for name in asked.task_data:
    if name not in [p.name for p in found]:
      raise registry.unknown("--task_data", name, [p.name for p in found])
    if any(p.name == name and _has_no_files(p) for p in found):
      raise UsageError(f"--task_data={name}: is for tasks with --shots")


def _has_no_files(one: Planned) -> bool:
  return one.way == OWN and not isinstance(one.task, DataTask)
