"""Runs that were fine-tuned: their own heads answer their own task."""

from __future__ import annotations

import dataclasses

from lm_jax.evaluation import results
from lm_jax.evaluation.flags import EvaluateFlags
from lm_jax.evaluation.results import Outcome
from lm_jax.examples import labelled
from lm_jax.finetuning import dataset, evaluation
from lm_jax.inference.directory import ModelDirectory
from lm_jax.loaded_model import Trained
from lm_jax.tasks.base import LabelledTask, SupervisedTask


def with_own_data(
  flags: EvaluateFlags, source: ModelDirectory
) -> EvaluateFlags:
  """Adds the local files that a run was fine-tuned on, if any."""
  own = source.task
  named = own in flags.tasks or not flags.tasks
  if not own or not named or own in flags.places:
    return flags
  place = source.config.task_data
  if not place:
    return flags
  return dataclasses.replace(
    flags, task_data=(*flags.task_data, f"{own}={place}")
  )


def answers(own: str, task: SupervisedTask) -> bool:
  """Returns whether a run that was fine-tuned for a task answers another.

  Where both take spans, tags or texts: SQuAD's answers XQuAD's questions. The
  labels of classification are each task's own.

  Args:
    own: the name of the task that it was fine-tuned for; "" for none.
    task: the other one, or the same.
  """
  if own == task.name or (own and own == task.answered_by):
    return True
  if not own or isinstance(task, LabelledTask):
    return False
  return dataset.find_task(own).objective == task.objective


def measure(
  model: Trained, task: SupervisedTask, flags: EvaluateFlags
) -> Outcome:
  """Measures the answers of the model's own head.

  Raises:
    UsageError: the task's examples can't be had.
  """
  place = flags.places.get(task.name, "")
  task.bleu = flags.bleu
  answers_measure = evaluation.measure(
    model, task, place, labelled.TEST, flags.limit, flags.seed
  )
  outcome = results.of_measure(
    task.name, answers_measure, results.HEAD, model.config.objective
  )
  if not (isinstance(task, LabelledTask) and task.form.labels):
    return outcome
  chance = 1 / len(task.form.labels)
  rows = [
    dataclasses.replace(r, chance=chance) if r.metric == "accuracy" else r
    for r in outcome.rows
  ]
  return dataclasses.replace(outcome, rows=tuple(rows))
