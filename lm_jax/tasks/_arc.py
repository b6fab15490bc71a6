"""Shares code of ARC's two sets of questions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lm_jax.examples.labelled import DEV, TEST, TRAIN, Example, Form
from lm_jax.tasks import base

_NAMES = tuple(f"choice{i}" for i in range(5))


def _prepare(record: dict[str, Any]) -> dict[str, Any]:
  """Normalizes a record in one of two forms.

  As published: {"question": {"stem", "choices": [{"text", "label"}]},
  "answerKey"}; or from Hugging Face and TFDS, with choices {"text": [...],
  "label": [...]} and a question that is text.
  """
  question, choices = record["question"], record.get("choices")
  if isinstance(question, dict):
    question, choices = question["stem"], question["choices"]
  if isinstance(choices, list):
    choices = {key: [c[key] for c in choices] for key in ("text", "label")}
  if not isinstance(choices, dict):
    raise KeyError("choices")
  texts = list(map(str, choices["text"]))
  letters = [_letter(label) for label in choices["label"]]
  key = _letter(record["answerKey"])
  if not 2 <= len(texts) <= len(_NAMES):
    raise ValueError(f"choices: must be 2 to {len(_NAMES)}, not {len(texts)}")
  if key not in letters:
    raise ValueError(f"answerKey={key!r:.20}: is none of {', '.join(letters)}")
  texts += [""] * (len(_NAMES) - len(texts))
  return {
    "question": str(question),
    "label": str(letters.index(key)),
    **dict(zip(_NAMES, texts, strict=True)),
  }


def _letter(label: Any) -> str:
  """Returns the letter of a label: letter, number from 1, or TFDS's from 0."""
  if isinstance(label, int):
    return "ABCDE"[label]
  return dict(zip("12345", "ABCDE", strict=True)).get(label, str(label))


class Arc(base.LabelledTask):
  """Questions with two to five choices; unused fields are "".

  Fine-tuning reads the question with each choice (multiple_choice).
  """

  objective = "multiple_choice"
  choices = _NAMES

  def candidates(self, example: Example) -> Mapping[str, tuple[str, ...]]:
    named = zip(self.form.labels, self.choices, strict=True)
    held = {label for label, name in named if example.fields[name]}
    every = super().candidates(example)
    return {label: texts for label, texts in every.items() if label in held}


def form(name: str) -> Form:
  """Makes the form of the questions with this name in TFDS."""
  return Form(
    fields={field: (field,) for field in ("question", *_NAMES)},
    labels=tuple("01234"),
    tfds=f"ai2_arc/{name}",
    splits={TRAIN: "train", DEV: "validation", TEST: "test"},
    prepare=_prepare,
  )
