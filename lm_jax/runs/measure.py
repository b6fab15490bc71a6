"""Measures a run by the tasks that need nothing but it, found by name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lm_jax.data.rows import Dataset
from lm_jax.inference.score import Scorer
from lm_jax.support import registry
from lm_jax.tasks import base
from lm_jax.tasks.base import DataTask, Measure, Task

TASKS = "lm_jax.tasks"


def own_tasks() -> list[Task]:
  """Returns the tasks that need nothing but a run."""
  classes = registry.every(TASKS, Task).values()
  return [cls() for cls in classes if not issubclass(cls, DataTask)]


def evaluate(
  model: Scorer,
  dataset: Dataset,
  tasks: Sequence[Task],
  quick: bool = False,
) -> Measure:
  """Measures a run by tasks; those that do not apply are left out.

  Args:
    tasks: that need nothing else (`own_tasks`).
    quick: only those that are cheap, on fewer items.
  """
  metrics: dict[str, float] = {}
  items: dict[str, list[float]] = {}
  collapsed: list[str] = []
  predictions: list[dict[str, Any]] = []
  likelihood: dict[str, Any] = {}
  for task in tasks:
    if task.quick or not quick:
      measure = task.measure(model, dataset, quick)
      metrics |= measure.metrics
      items |= measure.items
      likelihood |= measure.likelihood
      collapsed += base.constant(measure.predictions)
      # Those of other tasks would repeat long passages in every run.
      predictions += measure.predictions if task.quick else []
  return Measure(
    *(metrics, items, predictions), constant=collapsed, likelihood=likelihood
  )
