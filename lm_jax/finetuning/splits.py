"""Splits of examples: to train on, to choose by, to report."""

from __future__ import annotations

import functools
import random
from collections.abc import Sequence
from typing import Any

from lm_jax.examples.labelled import DEV, TRAIN
from lm_jax.examples.labelled import TEST as TEST  # beside the other two
from lm_jax.support import registry
from lm_jax.support.errors import UsageError
from lm_jax.tasks.base import SupervisedTask, Task

TASKS = "lm_jax.tasks"

# Where data have no such split, one of every so many examples for training is
# kept from it to choose by, up to so many.
HELD_OUT, MOST = 10, 2000


def find_task(name: str, flag: str = "--task") -> SupervisedTask:
  """Finds the task of a name.

  Raises:
    UsageError: there is none, or it has no examples to train on.
  """
  task = registry.find(TASKS, name, Task, flag)()
  if not isinstance(task, SupervisedTask):
    raise UsageError(
      f"{flag}={name}: measures models as they are, and has no examples to"
      " fine-tune on"
    )
  task.asked_by = flag
  return task


@functools.lru_cache(maxsize=16)
def load(
  name: str, place: str, train_examples: int = 0
) -> dict[str, Sequence[Any]]:
  """Loads the examples that a fine-tuning run sees: TRAIN and DEV.

  Data without a split to choose
  by give every tenth example of the training split, whatever the seed.

  Args:
    name: of the task.
    place: of local files; "" reads TFDS.
    train_examples: number for training, drawn at random; 0: all.

  Raises:
    UsageError: there are no examples for training.
  """
  task = find_task(name)
  train = list(task.examples(TRAIN, place))
  dev = list(task.examples(DEV, place))
  where = f"--task_data={task.name}={place}" if place else f"--task={task.name}"
  if not dev:
    every = max(HELD_OUT, -(-len(train) // MOST))
    dev = train[every - 1 :: every]
    train = [x for i, x in enumerate(train) if i % every != every - 1]
  if not train or not dev:
    raise UsageError(
      f"{where}: has {len(train)} examples for training, and {len(dev)} to"
      " choose checkpoints by; both are needed"
    )
  if train_examples > len(train):
    raise UsageError(
      f"--train_examples={train_examples}: {task.name} has {len(train)}"
    )
  if train_examples:
    chosen = random.Random("train").sample(range(len(train)), train_examples)
    train = [train[i] for i in sorted(chosen)]
  return {TRAIN: train, DEV: dev}
