"""A test's file run as a program of its own, on simulated devices."""

import json
from typing import Any

import apart
import xla_flags


def on_eight(path: str) -> Any:
  """The JSON that a file prints where JAX has eight devices."""
  return json.loads(apart.python(path, XLA_FLAGS=xla_flags.devices(8)).stdout)
