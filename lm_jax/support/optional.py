"""Libraries that come with an extra of their own, imported where needed."""

from __future__ import annotations

import importlib
import importlib.util
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
    raise _missing(error.name, what, extra) from None


def if_installed(module: str) -> Any:
  """Returns a module of an extra, or None where it is not installed."""
  try:
    return importlib.import_module(module)
  except ModuleNotFoundError as error:
    if module.partition(".")[0] != error.name:
      raise
    return None


def require(module: str, what: str, extra: str) -> None:
  """Raises UsageError where a library is not installed; does not import it."""
  if importlib.util.find_spec(module) is None:
    raise _missing(module, what, extra)


def _missing(name: str, what: str, extra: str) -> UsageError:
  return UsageError(f"{what}: needs {name}; pip install 'lm_jax[{extra}]'")
