"""Tunes every arm alike, before any of them is compared.

Each arm tries the same points in the same studies, and is judged by validation
data alone; the median study's best setting is what the comparison runs, with
seeds that no trial has had. Trials are runs in tuning/ of the experiment's
directory: killed and started again, their number is exact.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lm_jax import config as config_lib
from lm_jax.config import Config, overrides
from lm_jax.report import subject
from lm_jax.runs import search_space
from lm_jax.runs.attempt import is_complete, status_of
from lm_jax.runs.experiment_flags import ExperimentFlags
from lm_jax.runs.run import Run
from lm_jax.runs.search_space import Dimension
from lm_jax.runs.trial import Trial, has_ended, with_seeds_from
from lm_jax.runs.yardstick import VALIDATION_LOSS, VALIDATION_PAIRS
from lm_jax.statistics import studies as studies_lib
from lm_jax.support.errors import UsageError
from lm_jax.support.optional import need
from lm_jax.support.status import INTERRUPTED
from lm_jax.support.values import show

FOLDER = "tuning"
Execute = Callable[[Sequence[Run]], Mapping[str, str]]


@dataclasses.dataclass(frozen=True)
class Tuning:
  """The search for the settings of some arms.

  arms: with their first seed, by name.
  directory: of the experiment.
  """

  flags: ExperimentFlags
  dimensions: tuple[Dimension, ...]
  arms: Mapping[str, Config]
  directory: str

  @classmethod
  def make(
    cls, flags: ExperimentFlags, arms: Sequence[Config], directory: str
  ) -> Tuning | None:
    """Makes the search that flags ask for, checked; None without --tune.

    Raises:
      UsageError: a range is none, no arm has an option, or a point is none that
        an arm can run.
    """
    if not flags.tune:
      for name in ("trials", "studies", "tune_by", "sampler", "rungs"):
        if name in flags.given:
          value = show(getattr(flags, name))
          raise UsageError(
            f"--{name}={value}: is of --tune, which names the options that are"
            " tuned"
          )
      return None
    if flags.rungs and flags.sampler != "sobol":
      raise UsageError(
        f"--sampler={flags.sampler}: a study that adapts has no trials side by"
        " side for --rungs to choose from"
      )
    if list(flags.rungs) != sorted(set(flags.rungs)):
      raise UsageError(
        f"--rungs={','.join(map(str, flags.rungs))}: must rise from one to the"
        " next"
      )
    if flags.sampler == "tpe":
      need("optuna", "--sampler=tpe", "optuna")
    dimensions = search_space.parse(flags.tune)
    for one in dimensions:
      if not any(map(one.is_of, arms)):
        names = ", ".join(config.arm for config in arms)
        raise UsageError(f"--tune={one}: none of the arms has it ({names})")
    own = {config.arm: config for config in arms}
    tuning = cls(flags, dimensions, own, directory)
    for arm in own.values():
      _check_trials(tuning, arm)
    return tuning

  def own(self, arm: str) -> tuple[Dimension, ...]:
    """Returns the options that an arm has."""
    return tuple(d for d in self.dimensions if d.is_of(self.arms[arm]))

  def measure(self, arm: str) -> str:
    """Names what the trials of an arm are judged by.

    Its own validation loss, unless the values change what that measures, or
    the objective makes its own task as it learns.
    """
    if self.flags.tune_by != "auto":
      return self.flags.tune_by
    config = self.arms[arm]
    ends = [
      config_lib.flat(
        overrides.override(config, {d.path: d.text(x) for d in self.own(arm)})
      )
      for x in (0.0, 1.0)
    ]
    energy = config_lib.objective_class(config.objective).scoring == "energy"
    same = subject.losses_compare(ends) and not energy
    return VALIDATION_LOSS if same else VALIDATION_PAIRS

  def trials(self, arm: str) -> list[Trial]:
    """Returns the trials of an arm that can be told, study by study.

    With a sampler that adapts, those whose predecessors have ended.
    """
    if not self.own(arm):
      return []
    return [
      trial
      for study in range(self.flags.studies)
      for trial in self._study(arm, study)
    ]

  def _study(self, arm: str, study: int) -> list[Trial]:
    own, count = self.own(arm), self.flags.trials
    if self.flags.sampler == "sobol":
      # One sequence of all dimensions: an arm that lacks one has the rest.
      points_TxD = studies_lib.sobol(study, count, len(self.dimensions))
      columns = [self.dimensions.index(dimension) for dimension in own]
      return [
        self._trial(arm, study, number, tuple(map(float, point_D[columns])))
        for number, point_D in enumerate(points_TxD)
      ]
    from lm_jax.statistics import adaptive

    trials: list[Trial] = []
    measure = self.measure(arm)
    while len(trials) < count:
      before = [(trial.point, trial.score(measure)) for trial in trials]
      point = adaptive.next_point(study, before, len(own))
      trial = self._trial(arm, study, len(trials), point)
      trials.append(trial)
      if status_of(trial.config) in ("", INTERRUPTED):
        break
    return trials

  def _trial(
    self, arm: str, study: int, number: int, point: tuple[float, ...]
  ) -> Trial:
    config, own = self.arms[arm], self.own(arm)
    pairs = zip(own, point, strict=True)
    values = {dimension.path: dimension.text(x) for dimension, x in pairs}
    name = f"{arm}-study{study}-trial{number}"
    config = with_seeds_from(overrides.override(config, values), study)
    pairs_too = self.measure(arm) == VALIDATION_PAIRS
    config = dataclasses.replace(
      config,
      eval="validation" if pairs_too else "loss",
      branches="",
      name=name,
      arm=arm,
      workdir=str(Path(self.directory, FOLDER, name)),
    )
    return Trial(study, number, point, values, config)

  def carry_out(self, execute: Execute) -> dict[str, str]:
    """Carries out the trials that are missing; returns their statuses.

    It ends early where one is interrupted.
    """
    statuses: dict[str, str] = {}
    tried: set[tuple[str, float]] = set()
    while True:
      left = [c for c in self.due() if (c.name, c.stop_at) not in tried]
      if not left:
        return statuses
      tried |= {(config.name, config.stop_at) for config in left}
      now = execute(list(map(Run, left)))
      statuses |= now
      if INTERRUPTED in now.values() or len(now) < len(left):
        return statuses

  @property
  def is_complete(self) -> bool:
    """Returns whether every trial has ended, so that there is a choice."""
    return all(map(self.has_choice, self.arms))

  def has_choice(self, arm: str) -> bool:
    """Returns whether every trial of an arm has ended."""
    each = self.flags.studies * self.flags.trials if self.own(arm) else 0
    whole = len(self.trials(arm)) == each
    return whole and all(map(has_ended, self.due([arm])))

  def require_first(self, runs: Sequence[Config]) -> None:
    """Raises UsageError if a run was made before its arm was tuned."""
    for config in runs:
      made = Path(config.workdir, "config.json").exists()
      if made and config.arm in self.arms and not self.has_choice(config.arm):
        raise UsageError(
          f"--workdir={self.directory}: holds {config.name}, which was run"
          f" before {config.arm} was tuned so (--tune, --trials, --studies);"
          " name another directory"
        )

  def due(self, arms: Sequence[str] = ()) -> list[Config]:
    """Returns the trials that have not come to their next stop.

    At each rung the better half of a study's trials of an arm goes on.

    Args:
      arms: whose; by default all.
    """
    stages = []
    for arm in arms or self.arms:
      for study in range(self.flags.studies):
        trials = [t for t in self.trials(arm) if t.study == study]
        stages += self._stage(trials, self.measure(arm))
    return [config for config in stages if not is_complete(config)]

  def _stage(self, trials: list[Trial], measure: str) -> list[Config]:
    """Returns the trials of a study that still go on, with their next stop."""
    configs: list[Config] = []
    for share in (*self.flags.rungs, 1.0):
      configs = [
        dataclasses.replace(trial.config, stop_at=share) for trial in trials
      ]
      if not all(map(has_ended, configs)):
        return configs
      ranked = sorted(trials, key=lambda t: -t.score(measure, paused=True))
      trials = ranked[: -(-len(ranked) // 2)]
    return configs

  def chosen(self) -> list[Config]:
    """Returns the arms with the seeds to compare, and with what was chosen.

    Arms whose trials have not ended have the values that they have without.

    Raises:
      UsageError: no trial of an arm has a result.
    """
    arms = []
    for arm, config in self.arms.items():
      if self.own(arm) and self.has_choice(arm):
        choice, trials = self._choice(arm)
        best = trials[choice.study * self.flags.trials + choice.trial]
        config = overrides.override(config, best.values)
      arms.append(with_seeds_from(config, self.flags.studies))
    return arms

  def _choice(self, arm: str) -> tuple[studies_lib.Choice, list[Trial]]:
    trials, measure = self.trials(arm), self.measure(arm)
    shape = (self.flags.studies, self.flags.trials)
    scores_SxT = np.array([t.score(measure) for t in trials]).reshape(shape)
    points_SxTxD = np.array([t.point for t in trials]).reshape(*shape, -1)
    choice = studies_lib.choose(points_SxTxD, scores_SxT)
    if choice is None:
      raise UsageError(
        f"--tune: no trial of {arm} has a result:"
        f" {Path(self.directory, FOLDER)} says why; remove there what is to be"
        " run again, or give another range"
      )
    return choice, trials

  def as_object(self) -> dict[str, Any]:
    """Returns what experiment.json keeps of it: all trials, and the choices."""
    arms: dict[str, Any] = {}
    for arm in self.arms:
      trials, measure, own = self.trials(arm), self.measure(arm), self.own(arm)
      entry: dict[str, Any] = {
        "measure": measure,
        "flops": sum(trial.flops() for trial in trials),
        "trials": [
          {
            "study": trial.study,
            "values": dict(trial.values),
            "status": status_of(trial.config),
            "score": _shown(trial.score(measure), measure),
          }
          for trial in trials
        ],
      }
      scores = [trial.score(measure) for trial in trials]
      whole = self.flags.studies * self.flags.trials == len(trials)
      if whole and any(map(math.isfinite, scores)):
        entry["best"] = self._best_so_far(scores, measure)
        choice, _ = self._choice(arm)
        best = trials[choice.study * self.flags.trials + choice.trial]
        entry["chosen"] = dict(best.values)
        entry["study"] = choice.study
        entry["boundary"] = [own[place].path for place in choice.boundary]
      arms[arm] = entry
    return {
      "space": [str(dimension) for dimension in self.dimensions],
      "trials": self.flags.trials,
      "studies": self.flags.studies,
      "sampler": self.flags.sampler,
      "arms": arms,
    }

  def _best_so_far(
    self, scores: Sequence[float], measure: str
  ) -> list[list[float]]:
    """Returns [trials, median, low, high] over studies, of the measure."""
    shape = (self.flags.studies, self.flags.trials)
    best_SxT = studies_lib.best_so_far(np.reshape(scores, shape))
    sign = -1.0 if measure == VALIDATION_LOSS else 1.0
    points = []
    for number, best_S in enumerate(best_SxT.T, 1):
      known = sorted(sign * best for best in best_S if math.isfinite(best))
      if known:
        middle = float(np.median(known))
        points.append([number, middle, known[0], known[-1]])
    return points


def _check_trials(tuning: Tuning, arm: Config) -> None:
  """Raises UsageError where a trial has a value that its arm can't have."""
  try:
    for trial in tuning.trials(arm.arm):
      Run(trial.config)
  except UsageError as error:
    Run(arm)  # What is wrong without any trial is no fault of --tune.
    asked = ",".join(tuning.flags.tune)
    raise UsageError(f"--tune={asked}: {error}") from error


def _shown(score: float, measure: str) -> float | None:
  """Returns the measure's own value; None of a trial without one."""
  if not math.isfinite(score):
    return None
  return -score if measure == VALIDATION_LOSS else score
