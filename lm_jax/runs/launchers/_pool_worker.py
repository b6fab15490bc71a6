"""A process that carries out runs for `pool`, one after another."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import resource
import signal
from collections.abc import Callable
from typing import Any

from lm_jax.support import machine, plugins, worker_process


def make(setup: Any) -> Callable[[Any], bytes]:
  """Binds this process to its share; returns what carries out a run.

  Args:
    setup: "cores" to run on, "threads" of XLA's pool, "memory" in bytes (0: no
      limit), "plugins": directories.
  """
  # Everything heavy is imported after this, and counts the processors.
  if setup["cores"] and hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, setup["cores"])
  machine.use_threads(setup["threads"])
  if setup["memory"]:
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    with contextlib.suppress(ValueError):  # a lower one is set already
      resource.setrlimit(resource.RLIMIT_DATA, (setup["memory"], hard))
  for directory in setup["plugins"]:
    plugins.add(directory)
  return _carry_out


def _carry_out(question: Any) -> bytes:
  from lm_jax import config as config_lib
  from lm_jax.devices import memory
  from lm_jax.runs.attempt import attempt
  from lm_jax.runs.run import Run
  from lm_jax.training.interruption import Interruption

  memory.keep_freed_memory()
  config = config_lib.from_json(question["config"])
  changes = tuple(question.get("allow_change", ()))
  config = dataclasses.replace(config, allow_change=changes)
  # The parent passes on what it was sent as TERM; the rest stays blocked.
  with Interruption(raises=True):
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
    outcome = attempt(Run(config), progress=False)
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
  return json.dumps(outcome).encode()


if __name__ == "__main__":
  worker_process.serve(make)
