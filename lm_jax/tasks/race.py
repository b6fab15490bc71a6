"""Measures RACE: which of four answers about a passage is right?"""

from __future__ import annotations

import pathlib
import re
from collections.abc import Iterable, Iterator, Sequence

from lm_jax.examples import labelled, race, splits
from lm_jax.examples.labelled import DEV, TEST, TRAIN, Example, Form, Record
from lm_jax.tasks import base

LEVELS = ("middle", "high")
_BLANK = re.compile("_+")


class Race(base.LabelledTask):
  """Lai et al. 2017; accuracy, and that of each level of school.

  Local files: the published directory, PATH/train/high/1.txt and so on, or
  JSONL of the same objects. Fine-tuning reads the passage with the question
  and one answer, four times (multiple_choice); a passage that is too long is
  cut at its end. With `--objective=classify` it reads all four answers as one
  text, for which there are no published results.
  """

  objective = "multiple_choice"
  choices = race.LETTERS

  form = Form(
    fields={name: (name,) for name in ("article", "question", *race.LETTERS)},
    labels=race.LETTERS,
    tfds="race",
    splits={TRAIN: "train", DEV: "dev", TEST: "test"},
  )

  def examples(self, split: str, place: str = "") -> list[Example]:
    if not place:
      return self._made(self._from_tfds(split))
    flag = f"--task_data={self.name}"
    names = {key: splits.NAMES[key] for key in (TRAIN, DEV, TEST)}
    folders = {key: race.folders(place, some) for key, some in names.items()}
    if not any(folders.values()):
      readers = {".jsonl": self._read}
      listed: list[Example] = splits.read(
        *(place, flag, split, readers), group=passage_of
      )
      return listed
    if not folders[TEST]:
      folders |= {TEST: folders[DEV], DEV: []}
    return self._made(
      one for folder in folders[split] for one in race.read_folder(folder)
    )

  def _from_tfds(self, split: str) -> Iterator[tuple[str, str, Record]]:
    for level in LEVELS:
      source = labelled.tfds_records(
        *(f"race/{level}", self.form.splits[split], f"--task={self.name}")
      )
      for number, (where, record) in enumerate(source):
        yield from race.questions(record, where, f"{level}{number}")

  def _read(self, path: pathlib.Path) -> list[Example]:
    return self._made(race.read_jsonl(path))

  def _made(self, source: Iterable[tuple[str, str, Record]]) -> list[Example]:
    return [
      self.form.example(record, name, where) for where, name, record in source
    ]

  def candidates(self, example: Example) -> dict[str, tuple[str, str]]:
    """Returns the passage, and the question with each answer.

    The answer fills the question's blanks, or else follows it (fairseq's
    preprocess_RACE.py of Liu et al. 2019). Departure: a run of underscores is
    one blank.
    """
    parts = _BLANK.split(example.fields["question"])
    texts_by_letter = {}
    for letter in self.choices:
      answer = example.fields[letter]
      asked = answer.join(parts) if len(parts) > 1 else f"{parts[0]} {answer}"
      texts_by_letter[letter] = (example.fields["article"], asked)
    return texts_by_letter

  def measures(
    self, predicted: Sequence[str], examples: Sequence[Example]
  ) -> dict[str, float]:
    accuracy = {}
    for level in LEVELS:
      right = [
        answer == example.label
        for answer, example in zip(predicted, examples, strict=True)
        if example.id.startswith(level)
      ]
      if right:
        accuracy[level] = sum(right) / len(right)
    return accuracy


def passage_of(example: Example) -> str:
  """Returns the name of the passage that an example asks about."""
  return example.id.rpartition("-")[0]
