"""Carries out the runs of an experiment that are missing."""

from __future__ import annotations

import fnmatch
import sys
from collections.abc import Sequence

from lm_jax.runs.attempt import Runnable, is_complete, status_of
from lm_jax.runs.launchers.base import Batch, Launcher
from lm_jax.runs.launchers.local import Local
from lm_jax.support import machine, registry
from lm_jax.support.status import EXIT, FAILED


def execute(
  runs: Sequence[Runnable],
  progress: bool = True,
  launcher: Launcher | None = None,
  *,
  directory: str = "",
  parallel: int = 1,
  retry: bool = False,
) -> dict[str, str]:
  """Carries out every run that isn't complete; stops where one is interrupted.

  A run that fails is recorded as failed, and the others go on.

  Args:
    runs: each with a name and a workdir of its own.
    progress: whether to say anything, on stderr.
    launcher: where they are run, which `check` let pass; by default here.
    directory: of the experiment.
    parallel: most runs at a time; 0 leaves it to the launcher.
    retry: whether to run again what has failed before.

  Returns:
    The status of each run by name; none for those that have not ended.
  """
  statuses = reused(runs, retry)
  left = [run for run in runs if run.config.name not in statuses]
  if progress:
    _tell_reused(statuses, len(runs))
  if not left:
    return statuses
  batch = Batch(directory, left, parallel, machine.threads(), progress)
  return statuses | (launcher or Local()).launch(batch)


def check(
  runs: Sequence[Runnable],
  launcher: Launcher,
  *,
  directory: str,
  parallel: int,
  retry: bool,
) -> None:
  """Raises UsageError if a launcher can't carry runs out; makes nothing.

  Args:
    runs, launcher, directory, parallel, retry: as for `execute`.
  """
  statuses = reused(runs, retry)
  left = [run for run in runs if run.config.name not in statuses]
  if left:
    launcher.check(Batch(directory, left, parallel, machine.threads(), False))


def reused(runs: Sequence[Runnable], retry: bool = False) -> dict[str, str]:
  """Returns the status of each run that is not to be carried out, by name."""
  statuses: dict[str, str] = {}
  for run in runs:
    config = run.config
    if is_complete(config) or (not retry and status_of(config) == FAILED):
      statuses[config.name] = status_of(config)
  return statuses


def matching(names: Sequence[str], patterns: Sequence[str]) -> list[str]:
  """Returns the names that --only asks for; all of them without a pattern.

  Raises:
    UsageError: a pattern that no name matches.
  """
  for pattern in patterns:
    if not fnmatch.filter(names, pattern):
      raise registry.unknown("--only", pattern, names)
  return [
    name
    for name in names
    if not patterns or any(fnmatch.fnmatchcase(name, p) for p in patterns)
  ]


def exit_code(statuses: dict[str, str]) -> int:
  """The exit code that a number of runs ends with."""
  return next((EXIT[s] for s in EXIT if s in statuses.values()), 0)


def _tell_reused(statuses: dict[str, str], total: int) -> None:
  failed = sum(status == FAILED for status in statuses.values())
  whole = len(statuses) - failed
  if whole:
    print(f"{whole} of {total} runs are complete and reused", file=sys.stderr)
  if failed:
    print(
      f"lm_jax: {failed} of {total} runs have failed before; --retry runs them"
      " again",
      file=sys.stderr,
    )
