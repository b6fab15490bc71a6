"""A Python of its own, in another process."""

import os
import pathlib
import socket
import subprocess
import sys

HELPERS = pathlib.Path(__file__).parent


def free_port():
  """A port of this machine on which nobody listens."""
  with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    return free.getsockname()[1]


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
