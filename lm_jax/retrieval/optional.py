"""The libraries of the extra `tasks`, imported where they are used."""

from __future__ import annotations

import importlib
from typing import Any

from lm_jax.errors import UsageError


def need(name: str, what: str) -> Any:
  """A library by the name of its module.

  Args:
    name: "faiss".
    what: names what needs it in the message.

  Raises:
    UsageError: it is not installed.
  """
  try:
    return importlib.import_module(name)
  except ModuleNotFoundError as error:
    if error.name != name:
      raise
    raise UsageError(
      f"{what}: needs {name}; pip install 'lm_jax[tasks]'"
    ) from None
