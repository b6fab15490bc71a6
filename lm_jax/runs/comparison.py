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
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lm_jax import config as config_lib
from lm_jax import experiments
from lm_jax.config import Config
from lm_jax.hugging_face import forecast
from lm_jax.report import Report, preregistered, subject
from lm_jax.report.language import Code
from lm_jax.runs import arms as arms_lib
from lm_jax.runs import (
  branching,
  corpora,
  execute,
  former_names,
  grid,
  looks,
  preregistration,
  ranked_by,
  record,
  run_command,
  seeding,
  sentences,
  spends,
)
from lm_jax.runs import sweeps as sweeps_lib
from lm_jax.runs.attempt import is_complete
from lm_jax.runs.experiment_flags import ExperimentFlags
from lm_jax.runs.launchers.base import Launcher
from lm_jax.runs.launchers.local import Local
from lm_jax.runs.run import Run
from lm_jax.runs.tuning import Tuning
from lm_jax.storage import lock, workdir
from lm_jax.support.status import DIVERGED, DONE, INTERRUPTED

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
  counts: of the pairs that arms will be ranked by, for experiment.json.
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
  counts: Mapping[str, Any] = dataclasses.field(default_factory=dict)

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
    language: Code = "en",
  ) -> tuple[dict[str, str], Report | None]:
    """Carries out the runs that are missing, and writes the report.

    Args:
      launcher: where they are run; by default here, one after another.
      parallel: most runs at a time; 0 leaves it to the launcher.
      only: patterns of names; other runs are left for another call.
      retry: whether to run again what has failed before.
      language: of the report.

    Returns:
      the status of each run by name (none for those that have not ended), and
      the report (None if it was interrupted, or runs go on elsewhere).
    """
    names = execute.matching([config.name for config in self.configs], only)
    comparison = self.with_counts()
    if launcher is not None:
      execute.check(
        [run for run in self.runs if run.config.name in names],
        launcher,
        directory=self.directory,
        parallel=parallel,
        retry=retry,
      )
    left = [config for config in self.configs if config.name in names]
    left = [config for config in left if not is_complete(config)]
    if launcher is None or isinstance(launcher, Local):
      corpora.require(left)
    sentences.check(left)
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
      statuses: dict[str, str] = {}
      if self.tuning is not None:
        comparison.record()
        statuses = self.tuning.carry_out(carry_out)
        if not self.tuning.is_complete:
          return statuses, None
        # How trials ended is what chose; it is no failure of the comparison.
        comparison, statuses = comparison.tuned(), {}
      comparison = comparison.with_branches()
      comparison.record()
      own = [run for run in comparison.runs if run.config.name in names]
      statuses |= comparison.look_by_look(own, carry_out)
    interrupted = INTERRUPTED in statuses.values()
    if interrupted or not (launcher is None or launcher.waits):
      return statuses, None
    report = Report.load(self.directory, run_command.read)
    report.write(language)
    return statuses, report

  def look_by_look(
    self,
    runs: Sequence[Run],
    carry_out: Callable[[Sequence[Run]], dict[str, str]],
  ) -> dict[str, str]:
    """Carries runs out, with the looks of a plan: it may stop at each."""
    plan = self.preregistered.get(preregistered.RECORD, {})
    statuses: dict[str, str] = {}
    for seeds in plan.get("looks", [])[:-1]:
      first = sorted({config.seed for config in self.configs})[:seeds]
      now = [run for run in runs if run.config.seed in first]
      statuses |= carry_out(now)
      own = [config.name for config in self.configs if config.seed in first]
      ended = {n for n, s in statuses.items() if s in (DONE, DIVERGED)}
      if not ended.issuperset(own):
        return statuses  # Some are left for another call.
      decision = looks.look(self.directory, plan, seeds)
      if self.progress:
        print(f"lm_jax: {decision.text()}", file=sys.stderr)
      if decision.stop:
        record.stop(self.directory, seeds)
        return statuses
    return statuses | carry_out(runs)

  def tuned(self) -> Comparison:
    """Returns it with the values that tuning has chosen."""
    assert self.tuning is not None
    configs = _confirmed(self.tuning, self.tuning.chosen(), self.flags)
    return dataclasses.replace(self, runs=tuple(map(Run, configs)))

  def with_counts(self) -> Comparison:
    """Counts what arms will be ranked by, before any is run.

    Raises:
      UsageError: it is too little, and --unranked does not let that pass.
    """
    counts = ranked_by.record(
      self.configs,
      self.flags,
      self.primary,
      record.read(self.directory)[0],
      self.progress,
    )
    return dataclasses.replace(self, counts=counts)

  @property
  def primary(self) -> str | None:
    """The measure that is preregistered, if one is."""
    plan = self.preregistered.get(preregistered.RECORD, {})
    return plan.get("primary")

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
      every = [*configs, *record.former(self.directory, configs)]
      settings = [config_lib.flat(config) for config in every]
      swept = {sweep.key: sweep.texts for sweep in self.crossed.sweeps}
      derived = subject.derived(flags.name, settings, swept)
      text, title = derived.docstring or derived.question, derived.title
    corpora = {config.data.corpus for config in configs}
    text, title = (subject.of_corpus(x, corpora) for x in (text, title))
    record.write(
      self.directory,
      flags.name,
      text,
      self.command,
      self.baseline,
      configs,
      title,
      [f"--{p}={v}" for p, v in flags.common.items() if p not in _APART],
      [*getattr(self.module, "DIFFERS", ()), *arms_lib.differing(configs)],
      arms_lib.trials(self.module, configs),
      self.tuning.as_object() if self.tuning else None,
      self.crossed.record(),
      self.preregistered | dict(self.counts),
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
  arms = arms_lib.named(module, flags)
  sweeps = sweeps_lib.parse(flags.sweep, grid.names_of(arms))
  # "0" was the default once.
  seeds = module.SEEDS if flags.seeds in ("", "0") else flags.seeds
  first = 1 if flags.tune else seeds
  crossed = grid.crossed(arms, sweeps, first, flags.common)
  crossed = former_names.adopt(crossed, flags.directory)
  configs = crossed.runs
  if progress:
    arms_lib.tell_merged(crossed.planned, configs)
  configs = arms_lib.packed_alike(configs, progress)
  primary = getattr(module, "PRIMARY", None)
  configs = ranked_by.with_benchmark(configs, flags, primary)
  tuning = Tuning.make(flags, configs, flags.directory)
  if tuning is not None:
    flags = dataclasses.replace(flags, seeds=str(seeds))
    # Their values are not known yet, their names and seeds are.
    configs = _confirmed(tuning, tuning.chosen(), flags)
  directory = flags.directory
  record.require_experiment(directory, flags.name)
  configs = record.place(configs, directory)
  known = [*configs, *record.former(directory, configs)]
  baseline = arms_lib.baseline(flags.baseline, module.BASELINE, known)
  if tuning is not None:
    tuning.require_first(known)
  configs = spends.recall(directory, configs)
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
