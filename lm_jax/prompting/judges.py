"""Chooses the way of scoring choices that fits a model and a template."""

from __future__ import annotations

from lm_jax.config import OBJECTIVES
from lm_jax.loaded_model import VOCABULARY, Trained
from lm_jax.objectives.base import Objective
from lm_jax.prompting import template as template_lib
from lm_jax.prompting.cloze import Cloze
from lm_jax.prompting.likelihood import Likelihood
from lm_jax.prompting.own_score import ObjectiveScorer
from lm_jax.prompting.pairs import ChoiceScorer
from lm_jax.prompting.reasoning import Writer
from lm_jax.prompting.template import Template
from lm_jax.support import registry
from lm_jax.support.errors import UsageError


def template_for(task: str, model: Trained) -> str:
  """Names a task's template: the cloze for a masked model, if it has one.

  Not of rtd: its generator fills blanks, and the model is the discriminator.
  """
  name = f"{task}_cloze"
  encoder = model.spec.architecture == "encoder"
  masked = encoder and model.fills and VOCABULARY in model.outputs
  return name if masked and name in template_lib.names() else task


def make(
  model: Trained, template: Template, samples: int
) -> ChoiceScorer | Writer:
  """Makes the scorer or writer that asks the model.

  Args:
    model: with a tokenizer.
    template: decides between a blank, choices and written answers.
    samples: of written answers.

  Raises:
    UsageError: the model can't be asked so.
  """
  if template.answer_pattern:
    return Writer(model, template, samples)
  if samples > 1:
    raise UsageError(
      f"--samples={samples}: is for templates with answer_pattern, and"
      f" {template.where} has choices"
    )
  if template.cloze:
    return Cloze(model)
  return make_scorer(model)


def make_scorer(model: Trained) -> ChoiceScorer:
  """Makes the scorer of choices that follow a prompt.

  Raises:
    UsageError: the model has no output to score texts by.
  """
  if model.is_generative:
    return Likelihood(model)
  return ObjectiveScorer(model)


def require_correction(
  correction: str, judge: ChoiceScorer | Writer, template: Template
) -> None:
  """Raises UsageError where a correction has nothing to correct."""
  flag = f"--correction={correction}"
  if correction == "none":
    return
  if isinstance(judge, Writer):
    raise UsageError(f"{flag}: is of choices, and {template.where} has none")
  if judge.kind == "energy" and correction in ("unconditional", "calibrated"):
    raise UsageError(
      f"{flag}: is of probabilities, and the model's scores are energies;"
      " valid are none, token and byte"
    )
  if correction == "calibrated" and not template.calibration:
    raise UsageError(f"{flag}: {template.where} has no calibration")


def continuing(exact: bool) -> str:
  """Lists the generative objectives for a sentence.

  exact: only those that know the probability of what follows.
  """
  names = []
  for name in registry.names(OBJECTIVES):
    objective = registry.find(OBJECTIVES, name, Objective, "--objective")
    known = not exact or objective.scoring == "log_likelihood"
    if objective.continues and known:
      names.append(name)
  return ", ".join(names)
