"""Programs in processes of their own, on simulated devices."""

import json
from typing import Any

import apart
import xla_flags


def run(*argv: object, devices: int = 8, **variables: str) -> str:
  """What a Python program prints where JAX has so many devices."""
  flags = xla_flags.devices(devices)
  return apart.python(*argv, XLA_FLAGS=flags, **variables).stdout


def on_eight(path: str) -> Any:
  """The JSON that a file prints where JAX has eight devices."""
  return json.loads(run(path))
