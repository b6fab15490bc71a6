"""The way this program was called, for help and for records."""

from __future__ import annotations

import pathlib
import shlex
import sys
from collections.abc import Sequence


def program() -> str:
  """Returns what a user types before a command: "lm_jax" if installed."""
  path = pathlib.Path(sys.argv[0])
  if path.name == "lm_jax":
    return "lm_jax"
  if path.name == "__main__.py" and path.parent.name == "lm_jax":
    return "python -m lm_jax"
  return "python launch.py"


def line(argv: Sequence[str]) -> str:
  """A command and its flags as a line of a shell."""
  return f"{program()} {shlex.join(argv)}"
