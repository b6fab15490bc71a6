"""Measures how well a fine-tuned model does its task."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from lm_jax.examples import records
from lm_jax.examples.labelled import TEST
from lm_jax.finetuning import splits
from lm_jax.finetuning.dataset import find_kind
from lm_jax.loaded_model import Trained
from lm_jax.tasks.base import Measure, SupervisedTask


def measure(
  model: Trained,
  task: SupervisedTask,
  place: str = "",
  split: str = TEST,
  limit: int = 0,
  seed: int = 0,
) -> Measure:
  """Answers a split with a fine-tuned model and judges the answers.

  Args:
    model: fine-tuned for the task, or one with the same labels.
    task: whose examples.
    place: of local files, as --task_data names them; "" reads TFDS.
    split: of labelled.
    limit: number of examples, drawn by the seed, in their order; 0: all.
    seed: of that.

  Raises:
    UsageError: the examples can't be had.
  """
  others: Mapping[str, Sequence[Any]] = {}
  if split == TEST:
    examples, others = task.examples(TEST, place), task.others(place)
  else:
    examples = splits.load(task.name, place)[split]
  if 0 < limit < len(examples):
    examples, others = records.chosen(examples, limit, seed), {}
  return with_others(judged(model, task, examples), model, task, others)


def with_others(
  found: Measure,
  model: Trained,
  task: SupervisedTask,
  others: Mapping[str, Sequence[Any]],
) -> Measure:
  """Adds the metrics of a task's further test sets."""
  for name, examples in others.items():
    for metric, value in judged(model, task, examples).metrics.items():
      own = metric.removeprefix(f"{task.name}/")
      found.metrics[f"{task.name}/{name}_{own}"] = value
  return found


def judged(
  model: Trained, task: SupervisedTask, examples: Sequence[Any]
) -> Measure:
  """Answers examples with a fine-tuned model and judges the answers.

  Raises:
    UsageError: a library of the task's measures is not installed.
  """
  task.bleu = task.bleu or getattr(model.objective, "bleu", "")
  task.require(examples)
  answers = find_kind(model.config.objective).answer(model, task, examples)
  metrics, scores = task.judge(answers, examples)
  predictions = [
    {"task": task.name, "id": example.id, "score": score}
    | shown(example)
    | {"predicted": answer}
    for example, answer, score in zip(examples, answers, scores, strict=True)
  ]
  return Measure(
    {f"{task.name}/{name}": value for name, value in metrics.items()},
    {task.name: scores},
    predictions,
    signatures={
      f"{task.name}/{name}": text
      for name, text in task.signatures(examples).items()
    },
  )


def shown(example: Any) -> dict[str, Any]:
  """Returns an example's fields, as a prediction's record shows them.

  Fields that its repr leaves out, such as its collection, are not shown.
  """
  fields = {
    field.name: getattr(example, field.name)
    for field in dataclasses.fields(example)
    if field.repr
  }
  del fields["id"]
  texts = fields.pop("fields", {})
  return {**dict(texts), **fields}
