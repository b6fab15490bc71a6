"""Answers to questions, read from the documents that a search found."""

from __future__ import annotations

from typing import Any

from lm_jax.apps.answering.base import Reader
from lm_jax.support.errors import UsageError


def reader(model: Any, what: str, template: str) -> Reader:
  """Makes a model's reader: by spans if fine-tuned for them, else by a prompt.

  Args:
    model: lm_jax.loaded_model.Trained.
    template: of a model that writes.

  Raises:
    UsageError: it can do neither.
  """
  from lm_jax.apps.answering import prompted, spans

  if model.tokenizer is None:
    raise UsageError(f"{what}: the model has no tokenizer files beside it")
  if model.objective.name == spans.OBJECTIVE:
    return spans.SpanReader(model)
  return prompted.PromptReader(model, template, what=what)
