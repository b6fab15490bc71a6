"""Answers to questions, read from the documents that a search found."""

from __future__ import annotations

from lm_jax.apps.answering.base import Reader
from lm_jax.loaded_model import Trained


def reader(model: Trained, template: str) -> Reader:
  """Makes a model's reader: by spans if fine-tuned for them, else by a prompt.

  Args:
    model: with a tokenizer.
    template: of a model that writes.

  Raises:
    UsageError: it can do neither.
  """
  from lm_jax.apps.answering import prompted, spans

  model.require_tokenizer()  # Raises.
  if model.objective.name == spans.OBJECTIVE:
    return spans.SpanReader(model)
  return prompted.PromptReader(model, template)
