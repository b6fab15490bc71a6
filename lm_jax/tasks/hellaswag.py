"""Measures HellaSwag: which of four endings follows an activity?"""

from __future__ import annotations

import re
from typing import Any

from lm_jax.examples.labelled import Form
from lm_jax.tasks import base

_NAMES = tuple(f"ending{i}" for i in range(4))


def clean(text: str) -> str:
  """Removes the marks of WikiHow, like lm-evaluation-harness.

  >>> clean("How to fly [title] Jump. [step]Do  it.")
  'How to fly. Jump. Do it.'
  """
  text = text.strip().replace(" [title]", ". ")
  text = re.sub(r"\[.*?\]", "", text)
  return text.replace("  ", " ")


def _prepare(record: dict[str, Any]) -> dict[str, Any]:
  endings = record["endings"]
  if not isinstance(endings, list) or len(endings) != len(_NAMES):
    raise ValueError("field endings: must be a list of four texts")
  if "ctx_a" in record:  # as published
    context = f"{record['ctx_a']} {str(record['ctx_b']).capitalize()}"
  else:  # of TFDS
    context = record["context" if "context" in record else "ctx"]
  query = clean(f"{record['activity_label']}: {context}")
  named = zip(_NAMES, map(clean, map(str, endings)), strict=True)
  return {"query": query, "label": record["label"], **dict(named)}


class Hellaswag(base.LabelledTask):
  """Zellers et al. 2019; accuracy by the likelihood of the endings.

  Fine-tuning reads the context with each ending (multiple_choice).
  """

  objective = "multiple_choice"
  choices = _NAMES

  form = Form(
    fields={name: (name,) for name in ("query", *_NAMES)},
    labels=("0", "1", "2", "3"),
    tfds="hellaswag",
    prepare=_prepare,
  )
