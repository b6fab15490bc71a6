"""Measurements of a run, on its way and at its end."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from lm_jax import config as config_lib
from lm_jax.config import Config
from lm_jax.config import phases as phases_lib
from lm_jax.data.rows import Dataset
from lm_jax.inference import load
from lm_jax.inference.score import Scorer
from lm_jax.report.metrics import by
from lm_jax.runs import benchmark
from lm_jax.runs import measure as measuring
from lm_jax.storage import checkpoint
from lm_jax.tasks import minimal_pairs
from lm_jax.tasks.base import Measure, Task
from lm_jax.training.plan import State
from lm_jax.training.program import Program

VALIDATION_LOSS = "validation_loss"
VALIDATION_PAIRS = "validation_pairs"


class Pretraining:
  """Measures a run on plain text; Finetuning has the same interface."""

  metric = VALIDATION_LOSS
  highest = always = False

  def __init__(
    self,
    config: Config,
    dataset: Dataset,
    program: Program,
    brief: bool = False,
  ):
    self._config, self._dataset, self._program = config, dataset, program
    tasks = measuring.own_tasks()
    self._tasks = [task for task in tasks if task.quick or not brief]
    self._benchmark = benchmark.task(config)

  def resume(self, meta: Mapping[str, Any]) -> None:
    """Nothing is carried on."""

  def meta(self) -> dict[str, Any]:
    return {}

  def should_stop(self) -> bool:
    return False

  def evaluate(self, state: State) -> dict[str, float]:
    metrics = self._measure(state, quick=True).metrics
    return {name: value for name, value in metrics.items() if "/" not in name}

  def evaluate_validation(self, state: State) -> dict[str, float]:
    """Measures what tuning may look at: minimal pairs of validation text."""
    task = minimal_pairs.MinimalPairs()
    task.split = "validation"
    metrics = self._measured_by([task], state, quick=False).metrics
    known = {"minimal_pairs": VALIDATION_PAIRS}
    return {known[name]: metrics[name] for name in known.keys() & metrics}

  def evaluate_best(
    self, state: State, checkpoints: checkpoint.Checkpoints
  ) -> Measure:
    measure = self._measure(state, quick=False)
    for name in self._others:
      other = self._measure(state, quick=False, objective=name)
      measure = _joined(measure, other, name)
    return measure

  def result(self) -> dict[str, Any]:
    """The benchmark, and of several objectives their kinds of score."""
    facts: dict[str, Any] = {}
    if (wanted := benchmark.wanted(self._config)) is not None:
      facts["benchmark"] = wanted
    if self._others:
      names = (*self._others, self._config.objective)
      kinds = {n: config_lib.objective_class(n).scoring for n in names}
      facts["objectives"] = kinds
    return facts

  @property
  def _others(self) -> tuple[str, ...]:
    """The objectives of earlier phases."""
    return phases_lib.objectives(self._config)[:-1]

  def _measure(self, state: State, quick: bool, objective: str = "") -> Measure:
    """Measures by the run's own objective, or by that of another phase."""
    tasks = [*self._tasks]
    if self._benchmark is not None and not quick:
      tasks.append(self._benchmark)
    return self._measured_by(tasks, state, quick, objective)

  def _measured_by(
    self, tasks: Sequence[Task], state: State, quick: bool, objective: str = ""
  ) -> Measure:
    params = self._program.all_params(state.params)
    config, plan = self._config, self._program.plan
    if objective:
      number = phases_lib.number(config, objective, "the run")
      config, plan = phases_lib.configs(config)[number], plan.phases[number]
    tokenizer = self._dataset.tokenizer
    model = load.from_plan(config, tokenizer, plan, params)
    return measuring.evaluate(Scorer(model), self._dataset, tasks, quick)


def _joined(measure: Measure, other: Measure, objective: str) -> Measure:
  """Adds what another objective measures, its name behind each metric's."""
  metrics = {by(name, objective): x for name, x in other.metrics.items()}
  items = {by(name, objective): x for name, x in other.items.items()}
  return dataclasses.replace(
    measure,
    metrics=measure.metrics | metrics,
    items=measure.items | items,
    constant=[
      *measure.constant,
      *(by(name, objective) for name in other.constant),
    ],
  )


def make(
  config: Config, dataset: Any, program: Program, brief: bool = False
) -> Any:
  """Makes the measurements of a run, on its way and at its end.

  brief: those only that are cheap enough to be made on the way, but on all
    their items: enough to rank a branch.
  """
  if not config.task:
    return Pretraining(config, dataset, program, brief)
  from lm_jax.finetuning.measuring import Finetuning

  return Finetuning(config, dataset, program)
