"""Measures WSC: does a pronoun stand for a given name?"""

from __future__ import annotations

import re
from typing import Any

from lm_jax.examples.labelled import Form
from lm_jax.tasks import base


def _prepare(record: dict[str, Any]) -> dict[str, Any]:
  """Marks the two spans, which are in "target" of the published file."""
  target = record.get("target")
  if isinstance(target, dict):
    record = record | target
  if "span1_index" not in record:
    return record
  text = str(record["text"])
  places = [
    (*_place(text, record[f"{name}_index"], record[f"{name}_text"], name), mark)
    for name, mark in (("span1", "*"), ("span2", "#"))
  ]
  for start, end, mark in sorted(places, reverse=True):
    text = f"{text[:start]}{mark} {text[start:end]} {mark}{text[end:]}"
  return record | {"text": text}


def _place(text: str, index: Any, span: Any, name: str) -> tuple[int, int]:
  """Locates a span that begins with the word of that number.

  These are its characters if they are there; else, since some published spans
  differ in a capital or a comma, as many words as it has.
  """
  words = list(re.finditer(r"\S+", text))
  if not 0 <= int(index) < len(words):
    raise ValueError(f"{name}_index={index}: the text has {len(words)} words")
  start, span = words[int(index)].start(), str(span)
  if text[start : start + len(span)].casefold() == span.casefold():
    return start, start + len(span)
  last = min(int(index) + max(len(span.split()), 1), len(words)) - 1
  return start, words[last].end()


class Wsc(base.LabelledTask):
  """Levesque et al. 2012, as a choice of SuperGLUE; accuracy.

  The two are marked in the text, "* name *" and "# pronoun #", as in T5 (Raffel
  et al. 2020, appendix B).
  """

  form = Form(
    fields={
      "text": ("text",),
      "pronoun": ("span2_text", "pronoun"),
      "name": ("span1_text", "name"),
    },
    labels=("False", "True"),
    spellings={"false": "False", "true": "True"},
    tfds="super_glue/wsc.fixed",
    prepare=_prepare,
  )
