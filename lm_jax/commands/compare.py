"""Compares objectives under one budget, and writes a report."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from lm_jax import config as config_lib
from lm_jax import experiments
from lm_jax.commands.flags import Given
from lm_jax.config import overrides
from lm_jax.planning.chips import CHIPS
from lm_jax.report.language import Code
from lm_jax.runs import launchers
from lm_jax.runs.experiment_flags import DEFAULT, ExperimentFlags
from lm_jax.runs.launchers.base import Launcher
from lm_jax.support import invocation, registry
from lm_jax.support.errors import UsageError
from lm_jax.support.options import Option, names_given, option, options
from lm_jax.support.options import read as read_flags

if TYPE_CHECKING:
  from lm_jax.report import Report


@dataclasses.dataclass(frozen=True)
class ExecutionFlags:
  """Flags that say where and which runs are carried out."""

  launcher: str = option(
    "local", "where they are: " + ", ".join(registry.names(launchers.__name__))
  )
  parallel: int = option(
    0,
    "most runs at a time; 0: as many as are fastest here, or as the scheduler"
    " lets run",
    least=0,
    most=10_000,
  )
  only: tuple[str, ...] = option(
    (), "names of the runs to carry out now, or patterns of them: mlm-*,*seed0"
  )
  retry: bool = option(False, "run again what has failed before")
  status: bool = option(
    False, "only tell how the runs stand; on a terminal until none goes on"
  )
  plan: bool = option(
    False, "only tell what it will cost; a few steps of each shape are timed"
  )
  chip: str = option(
    "", f"of --plan: a chip whose time is told, too: {', '.join(CHIPS)}"
  )
  effect: float = option(
    0.0,
    "of --plan: a difference, in the unit of the measure (points), for which"
    " it tells the seeds that would show or exclude it",
    least=0,
  )
  spread: float = option(
    0.0,
    "of --effect: the standard deviation over seeds of a difference; by"
    " default that of the runs in --workdir",
    least=0,
  )
  language: Code = option("en", "of the report: English, or Chinese (zh)")
  given: frozenset[str] = names_given()


def schema() -> dict[str, Option]:
  """Returns the flags of `compare`, by path."""
  common = config_lib.schema()
  for path in (
    *("objective", "model", "workdir"),
    *("name", "arm", "family"),
    *overrides.OF_TASKS,
  ):
    del common[path]
  return (
    options(ExperimentFlags)
    | options(ExecutionFlags)
    | _launcher_flags()
    | common
    | overrides.objective_flags()
  )


def _launcher_flags() -> dict[str, Option]:
  """Returns the flags of all launchers: --slurm.partition."""
  known: dict[str, Option] = {}
  for name, cls in registry.every(launchers.__name__, Launcher).items():
    known |= options(cls, f"{name}.")
  return known


def described(argv: Sequence[str]) -> dict[str, Option]:
  """Returns the flags with what the experiment runs as their defaults.

  Args:
    argv: what follows the command, of which --experiment counts.
  """
  words = [word.lstrip("-").partition("=") for word in argv]
  named = [value for flag, equals, value in words if flag == "experiment"]
  name = named[-1] if named and named[-1] else DEFAULT
  experiment = experiments.load(name)
  asked, name = name, pathlib.Path(name).stem
  own = {
    "experiment": asked,
    "seeds": str(experiment.SEEDS),
    "baseline": experiment.BASELINE,
    "workdir": str(pathlib.Path("runs", name)),
  }
  if name == DEFAULT:
    own["objectives"] = [arm.objective for arm in experiment.runs()]
  known = overrides.with_defaults(schema(), experiment.runs())
  known |= {
    path: dataclasses.replace(known[path], default=value)
    for path, value in own.items()
  }
  size = known["size"]
  note = "; given, it or a --trunk.preset replaces the trunk options below"
  return known | {size.path: dataclasses.replace(size, help=size.help + note)}


flags = schema


def _how(given: Mapping[str, Sequence[str]]) -> ExecutionFlags:
  """Reads how an experiment is carried out.

  Raises:
    UsageError: a flag would have no effect without another one.
  """
  how = read_flags(ExecutionFlags, given)
  for flag, needed in (
    *(("chip", "plan"), ("effect", "plan"), ("spread", "effect")),
  ):
    if getattr(how, flag) and not getattr(how, needed):
      raise UsageError(
        f"--{flag}={given[flag][-1]}: is of --{needed}, which is not given"
      )
  if how.plan and how.status:
    raise UsageError("--plan and --status: give one of the two")
  return how


def main(given: Given) -> int:
  """Runs an experiment, or tells how it stands; returns the exit code."""
  from lm_jax.runs import execute

  how = _how(given)
  if how.status:
    from lm_jax.runs import overview

    return overview.follow(_experiment(given).directory)
  command = invocation.line(["compare", *given.words])
  if how.plan:
    from lm_jax.report import blocks
    from lm_jax.runs import comparison, costs

    prepared = comparison.make(_experiment(given), command)
    print(
      blocks.plain(costs.report(prepared, how.chip, how.effect, how.spread)),
      end="",
    )
    return 0
  _, statuses, report = run(given, command)
  if report is not None:
    print(report.text(how.language))
  return execute.exit_code(statuses)


def run(
  given: Mapping[str, Sequence[str]], command: str, progress: bool = True
) -> tuple[str, dict[str, str], Report | None]:
  """Runs the experiment that flags ask for, and writes its report.

  Args:
    command: that asks for the same, for the record.

  Returns:
    its directory, the status of each run by name (none for those that have not
    ended), and its report (None if it was interrupted).

  Raises:
    UsageError: it is impossible, or its directory is taken.
  """
  from lm_jax.runs import comparison

  how = _how(given)
  for flag in ("plan", "status"):
    if getattr(how, flag):
      raise UsageError(f"--{flag}: is of the command line, which prints it")
  launcher = _launcher(how.launcher, given)
  prepared = comparison.make(_experiment(given), command, progress)
  statuses, report = prepared.carry_out(
    launcher,
    parallel=how.parallel,
    only=how.only,
    retry=how.retry,
    language=how.language,
  )
  return prepared.directory, statuses, report


def _experiment(given: Mapping[str, Sequence[str]]) -> ExperimentFlags:
  """Reads what the experiment is, without how it is carried out."""
  others = options(ExecutionFlags) | _launcher_flags()
  own = {path: texts for path, texts in given.items() if path not in others}
  return read_flags(ExperimentFlags, own)


def _launcher(name: str, given: Mapping[str, Sequence[str]]) -> Launcher:
  """Makes the launcher that flags ask for.

  Raises:
    UsageError: there is no such one, or a flag is of another one.
  """
  cls = registry.find(launchers.__name__, name, Launcher, "--launcher")
  own: dict[str, Sequence[str]] = {}
  for path in given.keys() & _launcher_flags().keys():
    owner, _, field = path.partition(".")
    if owner != name:
      raise UsageError(
        f"--{path}={given[path][-1]}: is of --launcher={owner}, not of {name}"
      )
    own[field] = given[path]
  return read_flags(cls, own)
