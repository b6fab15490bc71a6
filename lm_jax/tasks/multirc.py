"""Measures MultiRC: is an answer to a question about a passage right?"""

from __future__ import annotations

import pathlib
from collections.abc import Iterator, Sequence

from lm_jax.examples import files, superglue
from lm_jax.examples.files import Record, Source
from lm_jax.examples.labelled import Example, Form
from lm_jax.tasks import _files, _labels, base


class Multirc(_files.FileTask, base.LabelledTask):
  """Khashabi et al. 2018, of SuperGLUE (Wang et al. 2019, section 3).

  An example is an answer; several answers to a question may be right. It gives
  the F1 of "True" over all answers (f1a), and the share of questions with all
  answers judged correctly (exact_match); with --limit, all drawn answers.
  """

  primary = "f1a"

  form = Form(
    fields={name: (name,) for name in ("paragraph", "question", "answer")},
    labels=("False", "True"),
    spellings={"false": "False", "true": "True"},
    tfds="super_glue/multirc",
  )

  tfds = form.tfds
  splits = _files.Splits(dev="", test="validation")

  def made(self, source: Source) -> Iterator[Example]:
    return files.all_made(source, self._answers)

  def _answers(self, record: Record, name: str) -> Iterator[Example]:
    for one, flat in superglue.multirc(record, name):
      yield self.form.example(flat, one)

  def group(self, example: Example) -> str:
    return question_of(example)

  def has_answers(self, path: pathlib.Path) -> bool:
    answer = superglue.first(path, superglue.multirc)
    return answer is None or "label" in answer[1]

  def measures(
    self, predicted: Sequence[str], examples: Sequence[Example]
  ) -> dict[str, float]:
    whole: dict[str, bool] = {}
    for answer, example in zip(predicted, examples, strict=True):
      key = question_of(example)
      whole[key] = whole.get(key, True) and answer == example.label
    right = [example.label for example in examples]
    return {
      "f1a": _labels.f1(predicted, right, "True"),
      "exact_match": sum(whole.values()) / max(len(whole), 1),
    }


def question_of(example: Example) -> str:
  """Returns the name of the question that an example answers."""
  return example.id.rpartition("-")[0] or example.id
