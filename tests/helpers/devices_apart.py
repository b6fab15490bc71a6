"""A test's file run as a program of its own, on simulated devices."""

import json
import os
import pathlib
import subprocess
import sys
from typing import Any

import xla_flags

HELPERS = pathlib.Path(__file__).parent


def on_eight(path: str) -> Any:
  """The JSON that a file prints where JAX has eight devices."""
  paths = os.pathsep.join([str(HELPERS.parents[1]), str(HELPERS)])
  done = subprocess.run(
    [sys.executable, path],
    env=os.environ
    | {
      "XLA_FLAGS": xla_flags.devices(8),
      "JAX_PLATFORMS": "cpu",
      "PYTHONPATH": paths,
    },
    capture_output=True,
    text=True,
    check=False,
  )
  assert done.returncode == 0, done.stderr
  return json.loads(done.stdout)
