"""An experiment that is to be run: from its flags to its runs and its report.

1. The arms of the experiment's file are crossed with swept values and seeds.
2. Each run is resolved, built and checked, once; nothing is written.
3. The experiment's directory is held, and the record is written.
4. The runs that are missing are carried out by a launcher.
5. The report is written.
"""

from __future__ import annotations

import dataclasses
import functools
import sys
from collections.abc import Sequence
from typing import Any

from lm_jax import config as config_lib
from lm_jax import experiments
from lm_jax.config import Config
from lm_jax.hugging_face import forecast
from lm_jax.report import Report, subject
from lm_jax.runs import (
  branching,
  execute,
  grid,
  preregistration,
  record,
  run_command,
  seeding,
  spends,
)
from lm_jax.runs import sweeps as sweeps_lib
from lm_jax.runs.experiment_flags import DEFAULT, ExperimentFlags
from lm_jax.runs.launchers.base import Launcher
from lm_jax.runs.run import Run
from lm_jax.runs.tuning import Tuning
from lm_jax.storage import lock, workdir
from lm_jax.support import registry, status
from lm_jax.support.errors import UsageError

# Flags that leave the experiment as its file has it.
_APART = (
  "allow_change",
  "branches",
  "data.cache",
  "data.workers",
  "log_every",
  "mesh",
  "trackers",
)


@dataclasses.dataclass(frozen=True)
class Comparison:
  """An experiment whose runs were checked; nothing is written yet.

  flags: what was asked for.
  command: that asks for the same, for the record.
  module: the experiment's file.
  baseline: the arm that others are compared with.
  runs: all of them, complete or not; while arms are tuned, with the values
    that they have without.
  tuning: of the arms, before they are compared; None without --tune.
  progress: whether to say anything, on stderr.
  crossed: where the runs stand in the sweeps.
  """

  flags: ExperimentFlags
  command: str
  module: experiments.Experiment
  baseline: str
  runs: tuple[Run, ...]
  progress: bool
  crossed: grid.Crossed
  tuning: Tuning | None = None

  @property
  def directory(self) -> str:
    return self.flags.directory

  @functools.cached_property
  def configs(self) -> list[Config]:
    return [run.config for run in self.runs]

  def carry_out(
    self,
    launcher: Launcher | None = None,
    *,
    parallel: int = 1,
    only: Sequence[str] = (),
    retry: bool = False,
  ) -> tuple[dict[str, str], Report | None]:
    """Carries out the runs that are missing, and writes the report.

    Args:
      launcher: where they are run; by default here, one after another.
      parallel: most runs at a time; 0 leaves it to the launcher.
      only: patterns of names; other runs are left for another call.
      retry: whether to run again what has failed before.

    Returns:
      the status of each run by name (none for those that have not ended), and
      the report (None if it was interrupted, or runs go on elsewhere).
    """
    names = execute.matching([config.name for config in self.configs], only)
    if launcher is not None:
      execute.check(
        [run for run in self.runs if run.config.name in names],
        launcher,
        directory=self.directory,
        parallel=parallel,
        retry=retry,
      )
    workdir.create(self.directory)
    with lock.hold(self.directory):
      carry_out = functools.partial(
        execute.execute,
        progress=self.progress,
        launcher=launcher,
        directory=self.directory,
        parallel=parallel,
        retry=retry,
      )
      comparison, statuses = self, {}
      if self.tuning is not None:
        self.record()
        statuses = self.tuning.carry_out(carry_out)
        if not self.tuning.is_complete:
          return statuses, None
        # How trials ended is what chose; it is no failure of the comparison.
        comparison, statuses = self.tuned(), {}
      comparison = comparison.with_branches()
      comparison.record()
      statuses |= carry_out(
        [run for run in comparison.runs if run.config.name in names]
      )
    interrupted = status.INTERRUPTED in statuses.values()
    if interrupted or not (launcher is None or launcher.waits):
      return statuses, None
    report = Report.load(self.directory, run_command.read)
    report.write()
    return statuses, report

  def tuned(self) -> Comparison:
    """Returns it with the values that tuning has chosen."""
    assert self.tuning is not None
    configs = _confirmed(self.tuning, self.tuning.chosen(), self.flags)
    return dataclasses.replace(self, runs=tuple(map(Run, configs)))

  def with_branches(self) -> Comparison:
    """Works out the branches that are left open, in the directory."""
    if not any(map(spends.is_open, self.configs)):
      return self
    configs = spends.resolve(self.directory, self.configs, self.progress)
    return dataclasses.replace(self, runs=tuple(map(Run, configs)))

  def record(self) -> None:
    """Writes experiment.json."""
    flags, configs = self.flags, self.configs
    text, title = self.module.__doc__ or flags.name, flags.name
    if flags.sweep or flags.objectives:
      # The experiment's own words are of other arms.
      settings = [config_lib.flat(config) for config in configs]
      swept = {sweep.key: sweep.texts for sweep in self.crossed.sweeps}
      derived = subject.derived(flags.name, settings, swept)
      text, title = derived.docstring or derived.question, derived.title
    record.write(
      self.directory,
      flags.name,
      text,
      self.command,
      self.baseline,
      configs,
      title,
      [f"--{p}={v}" for p, v in flags.common.items() if p not in _APART],
      [*getattr(self.module, "DIFFERS", ()), *_differing(configs)],
      _trials(self.module, configs),
      self.tuning.as_object() if self.tuning else None,
      self.crossed.record(),
      self.preregistered,
    )

  @functools.cached_property
  def preregistered(self) -> dict[str, Any]:
    """The members of experiment.json that hold what was stated before."""
    return preregistration.preregister(
      self.directory,
      self.module,
      self.configs,
      f"--experiment={self.flags.experiment}",
      self.baseline,
      self.flags.exploratory,
    )


def make(
  flags: ExperimentFlags, command: str, progress: bool = True
) -> Comparison:
  """Makes the runs of an experiment, and checks them; writes nothing.

  Raises:
    UsageError: it is impossible, or its directory is taken.
  """
  module = experiments.load(flags.experiment)
  arms = _arms(module, flags)
  sweeps = sweeps_lib.parse(flags.sweep, grid.names_of(arms))
  # "0" was the default once.
  seeds = module.SEEDS if flags.seeds in ("", "0") else flags.seeds
  first = 1 if flags.tune else seeds
  crossed = grid.crossed(arms, sweeps, first, flags.common)
  configs = crossed.runs
  if progress:
    _tell_merged(crossed.planned, configs)
  configs = _packed_alike(configs, progress)
  tuning = Tuning.make(flags, configs, flags.directory)
  if tuning is not None:
    flags = dataclasses.replace(flags, seeds=str(seeds))
    # Their values are not known yet, their names and seeds are.
    known = tuning.chosen() if tuning.is_complete else tuning.untuned()
    configs = _confirmed(tuning, known, flags)
  baseline = _baseline(flags.baseline, module.BASELINE, configs)
  directory = flags.directory
  configs = spends.recall(directory, record.place(configs, directory))
  runs = tuple(map(Run, configs))
  configs = [run.config for run in runs]
  if progress:
    forecast.tell_misfits(configs)
  workdir.check(directory)
  record.check_same(directory, flags.name, configs)
  if "branches" in flags.common:
    branching.check(configs)
  made = Comparison(
    flags, command, module, baseline, runs, progress, crossed, tuning
  )
  changed = preregistration.require_unchanged(
    made.preregistered, directory, flags.exploratory
  )
  for line in changed if progress else ():
    print(f"lm_jax: {line}", file=sys.stderr)
  return made


def _confirmed(
  tuning: Tuning, arms: Sequence[Config], flags: ExperimentFlags
) -> list[Config]:
  """The runs of tuned arms, with seeds that no trial has had."""
  configs = [
    dataclasses.replace(run, name=f"{arm.arm}-{run.name}")
    for arm in arms
    for run in seeding.seeded(arm, seeding.parse(flags.seeds))
  ]
  placed = record.place(configs, tuning.directory)
  return spends.recall(tuning.directory, placed)


def _arms(
  module: experiments.Experiment, flags: ExperimentFlags
) -> list[Config]:
  """The arms of the experiment's file, or of the objectives that are named."""
  if "objectives" not in flags.given:
    return module.runs()
  text = ",".join(flags.objectives)
  if flags.name != DEFAULT:
    raise UsageError(
      f"--objectives={text}: the arms of --experiment={flags.name} are its own;"
      f" give one of the two flags"
    )
  valid = registry.names(config_lib.OBJECTIVES)
  for objective in flags.objectives:
    if objective not in valid:
      raise registry.unknown("--objectives", objective, valid)
  if not flags.objectives or len(set(flags.objectives)) < len(flags.objectives):
    raise UsageError(f"--objectives={text}: must name some, each once")
  return module.runs(list(flags.objectives))


def _trials(
  module: experiments.Experiment, configs: Sequence[Config]
) -> dict[str, int]:
  """Counts the runs that tuned each arm, as the experiment's file has it."""
  tried = getattr(module, "TRIALS", {})
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


def _baseline(asked: str, usual: str, configs: Sequence[Config]) -> str:
  arms = list(dict.fromkeys(config.arm for config in configs))
  if asked and asked not in arms:
    raise registry.unknown("--baseline", asked, arms)
  if asked or usual in arms:
    return asked or usual
  # Swept, an arm carries its values in its name: take the first such.
  swept = [arm for arm in arms if arm.startswith(f"{usual}-")]
  return (swept or arms)[0]
