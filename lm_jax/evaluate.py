"""Measures a model by tasks, found by name."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from lm_jax import registry
from lm_jax.data.rows import Dataset
from lm_jax.errors import UsageError
from lm_jax.score import Scorer
from lm_jax.tasks.base import DataTask, Measure, Task
from lm_jax.training.program import Plan

TASKS = "lm_jax.tasks"


def scorer(plan: Plan, params: Any, dataset: Dataset) -> Scorer:
  """The model of a plan and its parameters, as tasks see it."""
  return Scorer(
    plan.objective, plan.network, params, plan.spec, dataset.tokenizer
  )


def reads_corpus(names: Iterable[str]) -> bool:
  """Does any of the tasks read what the model was trained on? None: all do.

  Raises:
    UsageError: there is no such task.
  """
  found = [registry.find(TASKS, name, Task, "--tasks") for name in names]
  return not found or not all(
    issubclass(task, DataTask) and not task.reads_corpus for task in found
  )


def evaluate(
  model: Scorer,
  dataset: Dataset | None,
  names: Iterable[str] = (),
  quick: bool = False,
  prepare: Callable[[DataTask], None] = lambda task: None,
) -> Measure:
  """All that the named tasks find; what does not apply is left out.

  Args:
    model: as tasks see it.
    dataset: what it was trained on; None where no task reads it.
    names: of tasks; none means all without data of their own.
    quick: only those that are cheap, on fewer items.
    prepare: tells a task with data of its own where they are, and so on.

  Raises:
    UsageError: there is no such task, or one that is named does not apply.
  """
  metrics: dict[str, float] = {}
  items: dict[str, list[float]] = {}
  predictions: list[dict[str, Any]] = []
  named = list(names)
  for name in named or registry.names(TASKS):
    task = registry.find(TASKS, name, Task, "--tasks")()
    if quick and not task.quick:
      continue
    if isinstance(task, DataTask):
      if not named:
        continue
      prepare(task)
    found = task.measure(model, dataset, quick)
    if named and not found.metrics:
      text = f", its text {dataset.corpus.name}" if dataset else ""
      raise UsageError(
        f"--tasks={name}: does not apply: the model's scores are "
        f"{model.scoring or 'none'}{text}"
      )
    metrics |= found.metrics
    items |= found.items
    predictions += found.predictions
  return Measure(metrics, items, predictions)
