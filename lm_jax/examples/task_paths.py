"""Where a task's examples are: --task_data=TASK=PATH."""

from __future__ import annotations

from collections.abc import Sequence

from lm_jax.support import registry
from lm_jax.support.errors import UsageError


def read(texts: Sequence[str], tasks: Sequence[str]) -> dict[str, str]:
  """The places of local files, by task.

  Args:
    texts: of the flag.
    tasks: that may be named.

  Raises:
    UsageError: no TASK=PATH, or another task.
  """
  found = {}
  for text in texts:
    name, equals, place = text.partition("=")
    if not equals or not place:
      raise UsageError(f"--task_data={text}: must be TASK=PATH")
    if name not in tasks:
      raise registry.unknown("--task_data", name, tasks)
    found[name] = place
  return found
