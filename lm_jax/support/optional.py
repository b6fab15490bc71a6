"""Libraries that come with an extra of their own, imported where needed."""

from __future__ import annotations

import importlib
from typing import Any

from lm_jax.support.errors import UsageError


def need(module: str, what: str, extra: str = "tasks") -> Any:
  """A module ("seqeval.metrics") of a library of an extra.

  Raises:
    UsageError: it is not installed; the message names what needs it.
  """
  try:
    return importlib.import_module(module)
  except ModuleNotFoundError as error:
    if module.partition(".")[0] != error.name:
      raise
    raise UsageError(
      f"{what}: needs {error.name}; pip install 'lm_jax[{extra}]'"
    ) from None
