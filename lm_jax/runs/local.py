"""Runs configurations one after another, in this process.

A run that fails is recorded as failed, and the others go on.
"""

from __future__ import annotations

import sys
import time
import traceback
from collections.abc import Sequence
from typing import Any, Protocol

from tqdm import tqdm

from lm_jax.config import Config
from lm_jax.runs import result
from lm_jax.storage import disk, result_file, workdir
from lm_jax.storage.result_file import Result
from lm_jax.support.status import EXIT, FAILED, INTERRUPTED
from lm_jax.training.interruption import caused
from lm_jax.training.progress import duration


class Runnable(Protocol):
  """A run that was checked (`run.Run`)."""

  config: Config

  def execute(self, progress: bool) -> dict[str, Any]:
    """Runs it and returns the content of result.json, with its "status"."""


def execute(runs: Sequence[Runnable], progress: bool = True) -> dict[str, str]:
  """Makes every run that isn't complete; stops where one is interrupted.

  Lines about runs, and on a terminal a bar with the time left, go to stderr.

  Args:
    runs: each with a name and a workdir of its own.
    progress: whether to say anything.

  Returns:
    The status of each run by name; none for those that were not begun.
  """
  configs = [run.config for run in runs]
  statuses = {c.name: _status(c) for c in configs if is_complete(c)}
  left = [run for run in runs if run.config.name not in statuses]

  def say(line: str) -> None:
    if progress:
      tqdm.write(line, file=sys.stderr)

  if statuses:
    say(f"{len(statuses)} of {len(configs)} runs are complete and reused")
  begin = time.monotonic()
  # Off a terminal the bar is silent (None); `smoothing=0`: runs are as long
  # as one another, so their mean tells most about what is left.
  with tqdm(
    total=len(left),
    unit="run",
    desc="experiment",
    smoothing=0,
    disable=None if progress else True,
  ) as bar:
    for count, run in enumerate(left, 1):
      start, config = time.monotonic(), run.config
      status, error = _attempt(run, progress)
      statuses[config.name] = status
      now = time.monotonic()
      line = f"[{count}/{len(left)}] {config.name}: {status}{error}"
      line += f" after {duration(now - start)}"
      if status == INTERRUPTED:
        say(line)
        say("lm_jax: interrupted; the same command goes on from here")
        break
      if count < len(left):
        rest = (now - begin) / count * (len(left) - count)
        line += f"; about {duration(rest)} left"
      say(line)
      bar.update()
  return statuses


def exit_code(statuses: dict[str, str]) -> int:
  """The exit code that a number of runs ends with."""
  return next((EXIT[s] for s in EXIT if s in statuses.values()), 0)


def is_complete(config: Config) -> bool:
  """Returns whether the run's directory holds its result.

  One that has diverged would do so again.
  """
  if workdir.check_same(config):
    return False
  content = _read(config)
  return bool(content) and result_file.is_final(content, config.eval)


def _read(config: Config) -> dict[str, Any]:
  path = result.path(config)
  if not path.exists():
    return {}
  return result_file.read(path, f"remove it to run {config.name} again")


def _status(config: Config) -> str:
  return _read(config).get("status", "")


def _attempt(run: Runnable, progress: bool) -> tuple[str, str]:
  config = run.config
  if _status(config) == FAILED:
    result.path(config).unlink()  # of a former attempt
  try:
    return run.execute(progress)["status"], ""
  except KeyboardInterrupt:
    # Outside of the training steps: the checkpoints so far are what is kept.
    return INTERRUPTED, ""
  except Exception as error:
    if caused(error):
      return INTERRUPTED, ""
    line = f"{type(error).__name__}: {error}".rstrip(": ")
    workdir.create(config.workdir)
    failure = Result(
      status=FAILED,
      objective=config.objective,
      architecture=config.architecture,
      error=line,
      traceback=traceback.format_exc(),
    )
    with disk.disk_errors_as_usage(f"--workdir={config.workdir}"):
      failure.write(result.path(config))
    return FAILED, f" ({line.partition(chr(10))[0]})"
