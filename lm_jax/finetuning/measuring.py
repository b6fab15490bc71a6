"""Measurements of a fine-tuning run, during training and at its end."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import jax

from lm_jax.config import Config
from lm_jax.finetuning import evaluation, splits
from lm_jax.finetuning.dataset import Examples
from lm_jax.inference import load
from lm_jax.loaded_model import Trained
from lm_jax.storage.checkpoint import Checkpoints
from lm_jax.storage.selection import Selection
from lm_jax.tasks.base import Measure
from lm_jax.training.plan import State
from lm_jax.training.program import Program

DEV = "dev_"  # before a metric of the split that checkpoints are chosen by


class Finetuning:
  """Measures by the task, and chooses the checkpoint that does best.

  metric: what checkpoints are chosen by; higher is better.
  always: whether a checkpoint is saved at each evaluation.
  """

  highest = True
  always = True

  def __init__(self, config: Config, dataset: Examples, program: Program):
    self.metric = f"{DEV}{dataset.task.primary}"
    self._config, self._dataset, self._program = config, dataset, program
    self._selection = Selection(config.patience)
    self._signatures: dict[str, str] = {}

  def resume(self, meta: Mapping[str, Any]) -> None:
    """Resumes from the values of `meta`, by the metric of its curve."""
    curve = meta.get("curve", ())
    task = self._dataset.task
    if curve:
      former = f"{DEV}{task.former_primary or task.primary}"
      self.metric = meta.get("metric", former)
    self._selection = Selection(self._config.patience, curve)

  def meta(self) -> dict[str, Any]:
    """Returns the state that a checkpoint keeps."""
    return {"curve": self._selection.curve, "metric": self.metric}

  def should_stop(self) -> bool:
    """Returns whether the run ends, since evaluations no longer improve."""
    return self._selection.should_stop

  def evaluate(self, state: State) -> dict[str, float]:
    """Measures the split that checkpoints are chosen by."""
    judged = self._judged(state.params, self._dataset.examples[splits.DEV])
    values = {
      f"{DEV}{name.partition('/')[2]}": value
      for name, value in judged.metrics.items()
    }
    step = int(jax.device_get(state.step))
    self._selection.note(step, values[self.metric])
    return values

  def evaluate_validation(self, state: State) -> dict[str, float]:
    """Measures nothing more: the best checkpoint was chosen by that split."""
    return {}

  def evaluate_best(self, state: State, checkpoints: Checkpoints) -> Measure:
    """Measures the best checkpoint on the split that results report."""
    params, best = state.params, self._selection.best
    if best is not None and best != int(jax.device_get(state.step)):
      wanted = self._program.abstract_state().params
      restored = checkpoints.restore_params(wanted, step=best)
      assert restored is not None  # or it would have raised
      params = restored[0]
    dataset = self._dataset
    measure = evaluation.with_others(
      self._judged(params, dataset.examples[splits.TEST]),
      self._model(params),
      dataset.task,
      dataset.task.others(self._config.task_data),
    )
    if self._config.objective == "respond":
      measure.metrics[f"{self._dataset.task.name}/perplexity"] = math.exp(
        self._loss(params)
      )
    self._signatures = measure.signatures
    return measure

  def result(self) -> dict[str, Any]:
    """Returns further fields of result.json: how the checkpoint was chosen."""
    return {
      "task": self._dataset.task.name,
      "selected": {
        "step": self._selection.best,
        "metric": self.metric,
        "curve": self._selection.curve,
      },
      "cut": self._dataset.cut,
      "examples": {
        split: len(examples)
        for split, examples in self._dataset.examples.items()
      },
      "signatures": self._signatures,
    }

  def _loss(self, params: Any) -> float:
    """Nats per token of the right answers of the test split, given before."""
    rows = self._dataset.fixed(splits.TEST, self._config.batch_size)
    return self._program.validation_loss(params, rows)

  def _judged(self, params: Any, examples: Any) -> Measure:
    model = self._model(params)
    return evaluation.judged(model, self._dataset.task, examples)

  def _model(self, params: Any) -> Trained:
    dataset, program = self._dataset, self._program
    whole = program.all_params(params)
    return load.from_plan(self._config, dataset.tokenizer, program.plan, whole)
