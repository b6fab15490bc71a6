"""Flags that say what an experiment is."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Mapping, Sequence
from typing import Literal

from lm_jax.support.options import names_given, option, texts_of_others

DEFAULT = "compare_objectives"


@dataclasses.dataclass(frozen=True)
class ExperimentFlags:
  """Flags that say what an experiment is.

  settings: texts of further flags by path, which all arms share.
  """

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
  tune: tuple[str, ...] = option(
    (),
    "options and ranges that every arm is tuned in, with equal numbers of"
    " trials, before it is compared:"
    " optimizer.learning_rate:log:1e-4:1e-2,objective.rate:linear:0.1:0.5",
    repeat=True,
    group="tuning",
  )
  trials: int = option(
    5, "points of a study", least=1, most=1000, group="tuning"
  )
  studies: int = option(
    3,
    "studies, of points and seeds of their own, of which the median one"
    " chooses",
    least=1,
    most=100,
    group="tuning",
  )
  sampler: Literal["sobol", "tpe"] = option(
    "sobol",
    "of the points: the same for all arms, or by what earlier trials of the"
    " study have reached (Optuna)",
    group="tuning",
  )
  rungs: tuple[float, ...] = option(
    (),
    "shares of the budget at which the worse half of a study's trials of an arm"
    " stops: 0.25,0.5; arms are never stopped for one another",
    above=0,
    below=1,
    group="tuning",
  )
  tune_by: Literal["auto", "validation_loss", "validation_pairs"] = option(
    "auto",
    "what trials are judged by: the validation loss, or where values change"
    " its meaning minimal pairs of validation text",
    group="tuning",
  )
  metric: str = option(
    "",
    "what arms are ranked by: bits_per_byte, a probe, or blimp for published"
    " pairs, which are then measured (--task_data=blimp=FILE); by default"
    " minimal pairs of held-out text, or the own loss of arms of one objective",
  )
  task_data: tuple[str, ...] = option(
    (),
    "blimp=FILE: the pairs of --metric=blimp, as BLiMP, ZhoBLiMP, SLING,"
    " JBLiMP, RuBLiMP, TurBLiMP and MultiBLiMP are published; by default TFDS"
    " has BLiMP",
    repeat=True,
  )
  unranked: bool = option(
    False,
    "go on though there are too few pairs to rank arms by: they are measured,"
    " and the report ranks nothing",
  )
  baseline: str = option("", "the arm to compare with; the experiment's own")
  workdir: str = option("", "where all is kept; runs/<experiment> by default")
  exploratory: bool = option(
    False,
    "preregister nothing, whatever the experiment states, so that nothing is"
    " sealed; or go on though a preregistered field changed, as the page says",
  )
  settings: Mapping[str, Sequence[str]] = texts_of_others()
  given: frozenset[str] = names_given()

  @property
  def name(self) -> str:
    """The name of the experiment's file."""
    return pathlib.Path(self.experiment).stem

  @property
  def directory(self) -> str:
    return self.workdir or str(pathlib.Path("runs", self.name))

  @property
  def common(self) -> dict[str, str]:
    """The texts of the settings that all arms share, by path."""
    return {path: texts[-1] for path, texts in self.settings.items()}
