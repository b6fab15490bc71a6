"""Measures CLUEWSC 2020: does a pronoun stand for a given Chinese noun?"""

from __future__ import annotations

from typing import Any

from lm_jax.examples import files
from lm_jax.examples.labelled import Form
from lm_jax.support.errors import short
from lm_jax.tasks import _labels, base

# Around the noun and the pronoun in the text.
_SIGNS = {"span1": ("_", "_"), "span2": ("[", "]")}


def _prepare(record: dict[str, Any]) -> dict[str, Any]:
  """Marks both spans, which are in "target" of the published file."""
  target = record.get("target")
  if isinstance(target, dict):
    record = record | target
  if "span1_index" not in record:  # Chinese BabyLM leaves the places out.
    return record
  text = str(record["text"])
  places = [
    (
      *_place(
        text,
        files.field(record, f"{name}_text"),
        files.field(record, f"{name}_index", kind=int),
        name,
      ),
      name,
    )
    for name in _SIGNS
  ]
  for start, end, name in sorted(places, reverse=True):
    before, behind = _SIGNS[name]
    text = f"{text[:start]}{before}{text[start:end]}{behind}{text[end:]}"
  return record | {"text": text}


def _place(text: str, span: str, start: int, name: str) -> tuple[int, int]:
  """Checks that a span is where the record says, counted in characters."""
  if start < 0 or not span or text[start : start + len(span)] != span:
    raise ValueError(
      f"{name}_index={start}: {name}_text={short(span)} does not stand there"
    )
  return start, start + len(span)


class Cluewsc2020(base.LabelledTask):
  """Xu et al. 2020, of CLUE; accuracy.

  Noun and pronoun are marked in the text, "_noun_" and "[pronoun]", as by
  CLUE's baselines. Departure: both are also texts of their own, as a record
  without their places needs them.
  """

  # In the order of the numbers that Hugging Face and Chinese BabyLM have.
  form = Form(
    fields={
      "text": ("text",),
      "pronoun": ("span2_text", "pronoun"),
      "noun": ("span1_text", "noun"),
    },
    labels=("true", "false"),
    spellings={"True": "true", "False": "false"},
    tfds="huggingface:clue__clue/cluewsc2020",
    prepare=_prepare,
  )

  def metrics(self, predicted, right):
    return {"f1": _labels.f1(predicted, right, "true")}
