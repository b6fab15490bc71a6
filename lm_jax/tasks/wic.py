"""Measures WiC: does a word have the same meaning in two sentences?"""

from __future__ import annotations

from typing import Any

from lm_jax.examples.labelled import Form
from lm_jax.tasks import base


def _prepare(record: dict[str, Any]) -> dict[str, Any]:
  """Marks the word in each sentence."""
  if "start1" not in record:
    return record
  marked = {
    f"sentence{i}": _marked(
      *(str(record[f"sentence{i}"]), record[f"start{i}"], record[f"end{i}"]),
      f"start{i}",
    )
    for i in (1, 2)
  }
  return record | marked


def _marked(text: str, start: Any, end: Any, name: str) -> str:
  """Puts stars around some characters of a text."""
  if not 0 <= int(start) < int(end) <= len(text):
    raise ValueError(
      f"{name}={start}: is no place of a word in a text of {len(text)}"
      " characters"
    )
  start, end = int(start), int(end)
  return f"{text[:start]}* {text[start:end]} *{text[end:]}"


class Wic(base.LabelledTask):
  """Pilehvar and Camacho-Collados 2019, of SuperGLUE; accuracy.

  The word is marked in both sentences, "* word *", as T5 marks words of WSC
  (Raffel et al. 2020, appendix B); SuperGLUE's own baseline uses the
  states of the two words instead.
  """

  form = Form(
    fields={name: (name,) for name in ("sentence1", "sentence2", "word")},
    labels=("False", "True"),
    spellings={"false": "False", "true": "True", "F": "False", "T": "True"},
    tfds="super_glue/wic",
    prepare=_prepare,
  )
