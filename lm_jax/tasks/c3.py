"""Measures C3: which answer about a Chinese dialogue or text is right?"""

from __future__ import annotations

import pathlib
from collections.abc import Iterator, Mapping, Sequence

from lm_jax.examples import c3, files
from lm_jax.examples.files import DEV, TEST, Record, Source
from lm_jax.examples.labelled import Example, Form
from lm_jax.tasks import _files, base


class C3(_files.FileTask, base.LabelledTask):
  """Sun et al. 2020; accuracy, and that on dialogues and on texts of all kinds.

  Fine-tuning reads document, question and one choice, for each of the two to
  four choices (multiple_choice), as the authors' BERT does.
  """

  objective = "multiple_choice"
  choices = c3.CHOICES
  tfds = "huggingface:clue__clue/c3"
  splits = _files.Splits(dev="", test="validation")

  form = Form(
    fields={name: (name,) for name in ("context", "question", *c3.CHOICES)},
    labels=tuple("0123"),
  )

  def readers(self) -> Mapping[str, files.Reader]:
    return {
      ".json": lambda path: self.made(c3.nested(path)),
      ".jsonl": lambda path: self.made(files.records(path)),
    }

  def made(self, source: Source) -> Iterator[Example]:
    return files.made(source, self._example)

  def _example(self, record: Record, name: str) -> Example:
    return self.form.example(c3.flat(record), name)

  def group(self, example: Example) -> str:
    return example.fields["context"]

  def examples(self, split: str, place: str = "") -> list[Example]:
    paths = {key: c3.parts(place, key) for key in files.NAMES} if place else {}
    if not any(paths.values()):
      return super().examples(split, place)
    if not (paths[TEST] and all(map(_has_answers, paths[TEST].values()))):
      paths |= {TEST: paths[DEV], DEV: {}}
    return [
      example
      for part, path in paths[split].items()
      for example in self.made(
        (where, f"{part}/{name}", record)
        for where, name, record in c3.nested(path)
      )
    ]

  def candidates(self, example: Example) -> dict[str, tuple[str, ...]]:
    shared = example.fields["context"], example.fields["question"]
    named = zip(self.form.labels, self.choices, strict=True)
    return {
      label: (*shared, example.fields[name])
      for label, name in named
      if example.fields[name]
    }

  def measures(
    self, predicted: Sequence[str], examples: Sequence[Example]
  ) -> dict[str, float]:
    accuracy = {}
    for part in c3.PARTS.values():
      right = [
        answer == example.label
        for answer, example in zip(predicted, examples, strict=True)
        if example.id.startswith(f"{part}/")
      ]
      if right:
        accuracy[part] = sum(right) / len(right)
    return accuracy


def _has_answers(path: pathlib.Path) -> bool:
  """Returns whether the first question of a file has an answer."""
  _, _, record = next(iter(c3.nested(path)), ("", "", {"answer": "none"}))
  return bool(record.get("answer"))
