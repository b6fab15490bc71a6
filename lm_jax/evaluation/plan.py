"""Decides in which way each task is measured."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from lm_jax.evaluation import fine_tuned
from lm_jax.evaluation.flags import TASKS, EvaluateFlags
from lm_jax.evaluation.results import HEAD, OWN, PROMPT, Way
from lm_jax.inference.directory import ModelDirectory
from lm_jax.report import collect
from lm_jax.support import invocation, registry
from lm_jax.support.errors import UsageError
from lm_jax.tasks.base import DataTask, LabelledTask, SupervisedTask, Task


class TaskPlan(NamedTuple):
  """A task and how it is to be measured: results.OWN, PROMPT or HEAD.

  named: whether it was asked for by name; otherwise it may not apply.
  """

  name: str
  task: Task
  way: Way
  named: bool = True


def plan(flags: EvaluateFlags, source: ModelDirectory) -> list[TaskPlan]:
  """The tasks of a call, in their order.

  None named: of a fine-tuned run its own task, else all that measure by
  themselves.

  Raises:
    UsageError: a flag is for tasks that there are none of, or a task needs a
      model that was fine-tuned for it.
  """
  if flags.shots and not flags.tasks:
    raise UsageError("--shots: needs --tasks, of those with labels")
  own = source.task
  names: Sequence[str] = flags.tasks or ((own,) if own else ())
  plans = [_named(name, own, flags) for name in names]
  if not names:
    plans = [
      TaskPlan(name, cls(), OWN, named=False)
      for name, cls in registry.every(TASKS, Task).items()
      if cls.measure is not SupervisedTask.measure
      and not issubclass(cls, DataTask)
    ]
  _check(flags, plans)
  _require_open(flags, plans)
  return plans


def _require_open(flags: EvaluateFlags, plans: Sequence[TaskPlan]) -> None:
  """Raises UsageError where a task measures what is sealed.

  That is the primary measure of a preregistered experiment whose runs are not
  all done, of which the model is one.
  """
  seal = collect.seal_of(flags.model)
  if seal is None:
    return
  hidden = [one.name for one in plans if seal.hides(one.name)]
  if hidden:
    others = [one.name for one in plans if one.name not in hidden]
    rest = f"; --tasks={','.join(others)} may be measured" if others else ""
    raise UsageError(
      f"--model={flags.model}: {hidden[0]} is {seal.text()} of its experiment"
      f"{rest}"
    )


def _task(name: str) -> Task:
  return registry.find(TASKS, name, Task, "--tasks")()


def _named(name: str, own: str, flags: EvaluateFlags) -> TaskPlan:
  task = _task(name)
  if not isinstance(task, SupervisedTask):
    return TaskPlan(name, task, OWN)
  if isinstance(task, LabelledTask) and flags.shots:
    return TaskPlan(name, task, PROMPT)
  if fine_tuned.answers(own, task):
    return TaskPlan(name, task, HEAD)
  if type(task).measure is not SupervisedTask.measure:
    return TaskPlan(name, task, OWN)
  if isinstance(task, LabelledTask):
    return TaskPlan(name, task, PROMPT)
  raise UsageError(
    f"--tasks={name}: is answered by models that are fine-tuned for it"
    f" (`{invocation.program()} finetune --task={name}"
    f" --model={flags.model}`), and"
    f" --model={flags.model} is fine-tuned for {own or 'none'}"
  )


def _check(flags: EvaluateFlags, found: Sequence[TaskPlan]) -> None:
  """Raises UsageError where a flag has no task that it is for."""
  prompted = [p.name for p in found if p.way == PROMPT]
  if flags.shots and not prompted:
    raise UsageError(f"--shots: {found[0].name} has no examples to be shown")
  if flags.template and not prompted:
    raise UsageError("--template: is for tasks with --shots")
  for name in flags.places:
    if name not in [p.name for p in found]:
      raise registry.unknown("--task_data", name, [p.name for p in found])
    if any(p.name == name and _has_no_files(p) for p in found):
      raise UsageError(f"--task_data={name}: is for tasks with --shots")


def _has_no_files(one: TaskPlan) -> bool:
  return one.way == OWN and not isinstance(one.task, DataTask)
