"""Parses the places of examples: --task_data=TASK=PATH."""

from __future__ import annotations

from collections.abc import Sequence

from lm_jax.support import registry
from lm_jax.support.errors import UsageError


def read(texts: Sequence[str], tasks: Sequence[str]) -> dict[str, str]:
  """Returns the places of local files, by task.

  Args:
    texts: values of the flag.
    tasks: valid names.

  Raises:
    UsageError: a value is not TASK=PATH, or the task is unknown.
  """
  places = {}
  for text in texts:
    name, equals, place = text.partition("=")
    if not equals or not place:
      raise UsageError(f"--task_data={text}: must be TASK=PATH")
    if name not in tasks:
      raise registry.unknown("--task_data", name, tasks)
    places[name] = place
  return places
