"""Libraries of measures, which come with an extra of their own."""

from __future__ import annotations

import importlib
from typing import Any

from lm_jax.errors import UsageError


def needed(module: str, what: str) -> Any:
  """Imports a module of a library; UsageError if it is not installed.

  Args:
    module: dotted, "seqeval.metrics".
    what: names the task.
  """
  try:
    return importlib.import_module(module)
  except ModuleNotFoundError as error:
    if module.partition(".")[0] != error.name:
      raise
    raise UsageError(
      f"{what}: is measured by {error.name}, which is not installed: pip"
      " install 'lm_jax[tasks]'"
    ) from None


def require_equal(predicted: Any, examples: Any, what: str) -> None:
  """Raises UsageError where there is not one answer for each example."""
  if len(predicted) != len(examples):
    raise UsageError(
      f"{what}: {len(predicted)} answers to {len(examples)} examples; must be"
      " one each"
    )
