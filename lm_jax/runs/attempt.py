"""Carries out one run of an experiment, and records how it failed."""

from __future__ import annotations

import time
import traceback
from typing import Any, NamedTuple, Protocol

from lm_jax.config import Config
from lm_jax.runs import benchmark, result
from lm_jax.storage import disk, lock, result_file, workdir
from lm_jax.storage.result_file import Result
from lm_jax.support.status import FAILED, INTERRUPTED
from lm_jax.training.interruption import caused

# Seconds to wait for a directory: a process that was killed lets go of it when
# the system has cleared it away.
_PATIENCE, _AGAIN = 15.0, 0.2


class Runnable(Protocol):
  """A run that was checked (`run.Run`)."""

  config: Config

  def execute(self, progress: bool) -> dict[str, Any]:
    """Runs it and returns the content of result.json, with its "status"."""


class Outcome(NamedTuple):
  """The status that a run ended with, and the first line of its error."""

  status: str
  error: str = ""


def attempt(run: Runnable, progress: bool) -> Outcome:
  """Carries out a run; a failure is recorded in its result.json.

  A directory that another process holds is left as it is.
  """
  config, deadline = run.config, time.monotonic() + _PATIENCE
  while True:
    try:
      if status_of(config) == FAILED:
        result.path(config).unlink()  # of a former attempt
      return Outcome(run.execute(progress)["status"])
    except lock.Held as error:
      if time.monotonic() > deadline:
        return Outcome(FAILED, str(error))
      time.sleep(_AGAIN)
    except KeyboardInterrupt:
      # Outside of the training steps: the checkpoints so far are what is kept.
      return Outcome(INTERRUPTED)
    except Exception as error:
      if caused(error):
        return Outcome(INTERRUPTED)
      line = f"{type(error).__name__}: {error}".rstrip(": ")
      record_failure(config, line, traceback.format_exc())
      return Outcome(FAILED, line.partition(chr(10))[0])


def record_failure(config: Config, error: str, trace: str | None = None):
  """Writes the result.json of a run that failed."""
  workdir.create(config.workdir)
  failure = Result(
    status=FAILED,
    objective=config.objective,
    architecture=config.architecture,
    error=error,
    traceback=trace,
  )
  with disk.disk_errors_as_usage(f"--workdir={config.workdir}"):
    failure.write(result.path(config))


def is_complete(config: Config) -> bool:
  """Returns whether the run's directory holds its result.

  One that has diverged would do so again.
  """
  if workdir.check_same(config):
    return False
  content = _read(config)
  return bool(content) and result_file.is_final(
    content, config.eval, config.stop_at, benchmark.wanted(config)
  )


def status_of(config: Config) -> str:
  """Returns the status in the run's result.json; "" where it has none."""
  return _read(config).get("status", "")


def _read(config: Config) -> dict[str, Any]:
  path = result.path(config)
  if not path.exists():
    return {}
  return result_file.read(path, f"remove it to run {config.name} again")
