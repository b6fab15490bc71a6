"""A Python of its own, in another process."""

import os
import pathlib
import subprocess
import sys

HELPERS = pathlib.Path(__file__).parent


def python(*words, code=0, **environment):
  """Runs Python, which finds lm_jax and the helpers, to an exit code."""
  paths = os.pathsep.join([str(HELPERS.parents[1]), str(HELPERS)])
  done = subprocess.run(
    [sys.executable, *map(str, words)],
    env=os.environ
    | {"PYTHONPATH": paths, "JAX_PLATFORMS": "cpu"}
    | environment,
    capture_output=True,
    text=True,
    check=False,
    timeout=600,
  )
  assert done.returncode == code, done.stderr
  return done
