"""Programs in processes of their own, on simulated devices."""

import json
import os
import pathlib
import subprocess
import sys
from typing import Any

import xla_flags

HELPERS = pathlib.Path(__file__).parent


def run(*argv: object, devices: int = 8, **variables: str) -> str:
  """What a Python program prints where JAX has so many devices."""
  paths = os.pathsep.join([str(HELPERS.parents[1]), str(HELPERS)])
  own = {
    "XLA_FLAGS": xla_flags.devices(devices),
    "JAX_PLATFORMS": "cpu",
    "PYTHONPATH": paths,
  }
  done = subprocess.run(
    [sys.executable, *map(str, argv)],
    env=os.environ | own | variables,
    capture_output=True,
    text=True,
    check=False,
  )
  assert done.returncode == 0, done.stderr
  return done.stdout


def on_eight(path: str) -> Any:
  """The JSON that a file prints where JAX has eight devices."""
  return json.loads(run(path))
