"""Measures a run by the tasks that need nothing but it, found by name."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from lm_jax.data.rows import Dataset
from lm_jax.inference.score import Scorer
from lm_jax.support import registry
from lm_jax.tasks.base import DataTask, Measure, Task
from lm_jax.training.program import Plan

TASKS = "lm_jax.tasks"


def scorer(plan: Plan, params: Any, dataset: Dataset) -> Scorer:
  """The model of a plan and its parameters, as tasks see it."""
  return Scorer(
    plan.objective, plan.network, params, plan.spec, dataset.tokenizer
  )


def evaluate(
  model: Scorer,
  dataset: Dataset,
  names: Iterable[str] = (),
  quick: bool = False,
) -> Measure:
  """All that such tasks find; what does not apply is left out.

  Args:
    model: as tasks see it.
    dataset: what it was trained on.
    names: of tasks; none means all without data of their own.
    quick: only those that are cheap, on fewer items.

  Raises:
    UsageError: there is no such task.
  """
  metrics: dict[str, float] = {}
  items: dict[str, list[float]] = {}
  for name in list(names) or registry.names(TASKS):
    task = registry.find(TASKS, name, Task, "--tasks")()
    if isinstance(task, DataTask) or (quick and not task.quick):
      continue
    found = task.measure(model, dataset, quick)
    metrics |= found.metrics
    items |= found.items
  return Measure(metrics, items)
