"""Measures MultiRC: is an answer to a question about a passage right?"""

from __future__ import annotations

import pathlib
from collections.abc import Iterator, Sequence

from lm_jax.examples import labelled, splits, superglue
from lm_jax.examples.labelled import Example, Form
from lm_jax.tasks import _labels, base


class Multirc(base.LabelledTask):
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

  def examples(self, split: str, place: str = "") -> list[Example]:
    if not place:
      source = (
        labelled.tfds_records(
          self.form.tfds, self.form.splits[split], f"--task={self.name}"
        )
        if split in self.form.splits
        else ()
      )
      flat = (
        (where, superglue.multirc_flat(record, str(number)))
        for number, (where, record) in enumerate(source)
      )
      return [
        self.form.example(record, name, where) for where, (name, record) in flat
      ]
    has = superglue.answer_check(
      superglue.multirc, lambda item: "label" in item[2]
    )
    examples: list[Example] = splits.read(
      *(place, f"--task_data={self.name}", split, {".jsonl": self._read}),
      group=question_of,
      has_answers=has,
    )
    return examples

  def _read(self, path: pathlib.Path) -> Iterator[Example]:
    for where, name, record in superglue.multirc(path):
      yield self.form.example(record, name, where)

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
