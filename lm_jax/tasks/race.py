"""Measures RACE: which of four answers about a passage is right?"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence

from lm_jax.examples import files, race
from lm_jax.examples.files import DEV, TEST, Record, Source
from lm_jax.examples.labelled import Example, Form
from lm_jax.support import errors
from lm_jax.tasks import _files, base

LEVELS = ("middle", "high")
_BLANK = re.compile("_+")


class Race(_files.FileTask, base.LabelledTask):
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
  )

  def made(self, source: Source) -> Iterator[Example]:
    return files.all_made(source, self._questions)

  def _questions(self, record: Record, name: str) -> Iterator[Example]:
    for number, (one, flat) in enumerate(race.questions(record, name)):
      with errors.about(f"questions[{number}]"):
        example = self.form.example(flat, one)
      yield example

  def group(self, example: Example) -> str:
    return example.id.rpartition("-")[0]

  def examples(self, split: str, place: str = "") -> list[Example]:
    if not place:
      return list(self.made(self._from_tfds(split)))
    folders = {
      key: race.folders(place, names) for key, names in files.NAMES.items()
    }
    if not any(folders.values()):
      return super().examples(split, place)
    if not folders[TEST]:
      folders |= {TEST: folders[DEV], DEV: []}
    passages = map(race.read_folder, folders[split])
    return list(self.made(itertools.chain.from_iterable(passages)))

  def _from_tfds(self, split: str) -> Source:
    for level in LEVELS:
      for where, name, record in files.from_tfds(
        f"race/{level}", split, f"--task={self.name}"
      ):
        yield where, f"{level}{name}", record

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
