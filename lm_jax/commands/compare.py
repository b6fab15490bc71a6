"""Compares objectives under one budget, and writes a report."""

from __future__ import annotations

import dataclasses
import pathlib
import sys
from collections.abc import Mapping, Sequence

from lm_jax import config as config_lib
from lm_jax import experiments
from lm_jax.commands import train
from lm_jax.commands.flags import Given
from lm_jax.config import Config, overrides
from lm_jax.report import Report, subject
from lm_jax.runs import grid, local, record, spends
from lm_jax.runs import sweeps as sweeps_lib
from lm_jax.storage import lock, workdir
from lm_jax.support import invocation, registry, status
from lm_jax.support.errors import UsageError
from lm_jax.support.options import Option, option, options, texts_of_others
from lm_jax.support.options import read as read_flags

DEFAULT = "compare_objectives"
# Flags that leave the experiment as its file has it.
_APART = (
  "allow_change",
  "branches",
  "data.cache",
  "data.workers",
  "log_every",
  "mesh",
)


@dataclasses.dataclass(frozen=True)
class CompareFlags:
  """Flags besides the settings that all arms share."""

  experiment: str = option(
    DEFAULT, "which question: `list experiments`, or its file"
  )
  objectives: tuple[str, ...] = option(
    (), "the arms of the default experiment, instead of its own: mlm,rtd"
  )
  sweep: tuple[str, ...] = option(
    (),
    "an option and its values, optimizer.learning_rate=1e-3,3e-3, or a range,"
    " 1e-4:1e-2:log:5 (or linear); options that move together,"
    " size+optimizer.learning_rate=nano+4e-3,tiny+1e-3; those of one arm,"
    " mlm/objective.rate=0.15,0.4; may be given several times: all combinations"
    " are run",
    repeat=True,
  )
  seeds: str = option(
    "",
    "runs of each arm, by default as the experiment has it; or kinds of seeds"
    " that are crossed, parameters:3,order:3 (nine runs an arm), or nested,"
    " parameters:3/order:2 (six)",
  )
  baseline: str = option("", "the arm to compare with; the experiment's own")
  workdir: str = option("", "where all is kept; runs/<experiment> by default")
  settings: Mapping[str, Sequence[str]] = texts_of_others()


def schema() -> dict[str, Option]:
  """Returns the flags of `compare`, by path."""
  common = config_lib.schema()
  for path in (
    *("objective", "model", "workdir"),
    *("name", "arm", "family"),
    *overrides.OF_TASKS,
  ):
    del common[path]
  return options(CompareFlags) | common | overrides.objective_flags()


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


def main(given: Given) -> int:
  """Runs an experiment; returns the exit code."""
  command = invocation.line(["compare", *given.words])
  _, statuses, report = run(given, command)
  if report is not None:
    print(report.text())
  return local.exit_code(statuses)


def run(
  given: Mapping[str, Sequence[str]], command: str, progress: bool = True
) -> tuple[str, dict[str, str], Report | None]:
  """Runs the experiment that flags ask for, and writes its report.

  Args:
    command: that asks for the same, for the record.

  Returns:
    its directory, the status of each run by name (none for those that were
    not begun), and its report (None if it was interrupted).

  Raises:
    UsageError: it is impossible, or its directory is taken.
  """
  asked = read_flags(CompareFlags, given)
  experiment = experiments.load(asked.experiment)
  name = pathlib.Path(asked.experiment).stem
  named = asked.objectives if "objectives" in given else None
  arms = _arms(experiment, name, named)
  common = {path: texts[-1] for path, texts in asked.settings.items()}
  sweeps = sweeps_lib.parse(asked.sweep, grid.names_of(arms))
  # "0" was the default once.
  seeds = experiment.SEEDS if asked.seeds in ("", "0") else asked.seeds
  crossed = grid.crossed(arms, sweeps, seeds, common)
  configs = crossed.runs
  if progress:
    _tell_merged(crossed.planned, configs)
  configs = _packed_alike(configs, progress)
  differs = [*getattr(experiment, "DIFFERS", ()), *_differing(configs)]
  baseline = _baseline(asked.baseline, experiment.BASELINE, configs)
  directory = asked.workdir or str(pathlib.Path("runs", name))
  configs = spends.recall(directory, record.place(configs, directory))
  from lm_jax.runs.run import Run

  runs = [Run(config) for config in configs]
  configs = [run.config for run in runs]
  if progress:
    train.tell_misfits(configs)
  workdir.check(directory)
  record.check_same(directory, name, configs)
  if "branches" in common:
    from lm_jax.runs import branching

    branching.check(configs)

  workdir.create(directory)
  with lock.hold(directory):
    if any(map(spends.is_open, configs)):
      configs = spends.resolve(directory, configs, progress)
      runs = [Run(config) for config in configs]
    text, title = experiment.__doc__ or name, name
    if sweeps or named is not None:
      # The experiment's own words are of other arms.
      settings_of_runs = [config_lib.flat(config) for config in configs]
      derived = subject.derived(name, settings_of_runs)
      text, title = derived.question, derived.title
    changed = [f"--{p}={v}" for p, v in common.items() if p not in _APART]
    record.write(
      *(directory, name, text, command, baseline, configs, title, changed),
      *(differs, _trials(experiment, configs)),
    )
    statuses = local.execute(runs, progress)
  if status.INTERRUPTED not in statuses.values():
    report = Report.load(directory)
    report.write()
    return directory, statuses, report
  return directory, statuses, None


def _trials(experiment, configs: Sequence[Config]) -> dict[str, int]:
  """Counts the runs that tuned each arm, as the experiment's file has it."""
  tried = getattr(experiment, "TRIALS", {})
  arms = dict.fromkeys(config.arm for config in configs)
  return {arm: tried.get(arm, 0) for arm in arms} if tried else {}


def _packed_alike(configs: list[Config], progress: bool) -> list[Config]:
  """All arms with documents where one needs them, and none says otherwise."""
  needs = [flag for flag in map(config_lib.needs_documents, configs) if flag]
  free = [config for config in configs if not config.data.packing]
  if not needs or not free:
    return configs
  if progress:
    print(
      f"lm_jax: --data.packing=document for all arms: {needs[0]} needs it",
      file=sys.stderr,
    )
  change = dataclasses.replace
  return [
    change(c, data=change(c.data, packing=c.data.packing or "document"))
    for c in configs
  ]


def _differing(configs: Sequence[Config]) -> list[str]:
  """The settings that the experiment itself gives to arms differently."""
  given = [config_lib.given(config) for config in configs]
  paths = dict.fromkeys(path for one in given for path in one)
  return [
    path
    for path in paths
    if len({str(one.get(path)) for one in given}) > 1
    and path not in ("name", "arm", "workdir", "seed")
    and not path.startswith("seed.")
  ]


def _tell_merged(planned: int, configs: Sequence[Config]) -> None:
  names = list(dict.fromkeys(config.arm for config in configs))
  if len(names) < planned:
    print(
      f"lm_jax: of {planned} arms only {len(names)} differ, and equal ones are"
      f" one: {', '.join(names)}",
      file=sys.stderr,
    )


def _arms(
  experiment, name: str, objectives: Sequence[str] | None
) -> list[Config]:
  if objectives is None:
    return experiment.runs()
  text = ",".join(objectives)
  if name != DEFAULT:
    raise UsageError(
      f"--objectives={text}: the arms of --experiment={name} are its own;"
      f" give one of the two flags"
    )
  valid = registry.names(config_lib.OBJECTIVES)
  for objective in objectives:
    if objective not in valid:
      raise registry.unknown("--objectives", objective, valid)
  if not objectives or len(set(objectives)) < len(objectives):
    raise UsageError(f"--objectives={text}: must name some, each once")
  return experiment.runs(list(objectives))


def _baseline(asked: str, usual: str, configs: Sequence[Config]) -> str:
  arms = list(dict.fromkeys(config.arm for config in configs))
  if asked and asked not in arms:
    raise registry.unknown("--baseline", asked, arms)
  if asked or usual in arms:
    return asked or usual
  # Swept, an arm carries its values in its name: take the first such.
  swept = [arm for arm in arms if arm.startswith(f"{usual}-")]
  return (swept or arms)[0]
