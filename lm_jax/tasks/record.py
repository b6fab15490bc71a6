"""Measures ReCoRD: which name is left out of a sentence about a passage?"""

from __future__ import annotations

import pathlib
from collections.abc import Iterator

from lm_jax.examples import files, records, superglue
from lm_jax.examples.files import TEST
from lm_jax.examples.forms import Question, Span
from lm_jax.examples.superglue import PLACEHOLDER, Cloze
from lm_jax.tasks import _files, _reading, base


class Record(base.DataTask, _reading.ReadingTask):
  """Zhang et al. 2018, of SuperGLUE; F1 and exact match, the best of answers.

  Fine-tuned models mark the name as a span of the passage. Without fine-tuning
  each name of the passage is put into the sentence; the answer is the name
  whose sentence is the likeliest after the passage (as in
  lm-evaluation-harness).
  """

  tfds = "super_glue/record"

  names = _files.Names()
  readers = _files.FileTask.readers

  def made(self, source: files.Source) -> Iterator[Cloze]:
    return files.all_made(source, superglue.clozes)

  def group(self, cloze: Cloze) -> str:
    return cloze.passage

  def has_answers(self, path: pathlib.Path) -> bool:
    cloze = superglue.first(path, superglue.clozes)
    return cloze is None or bool(cloze.answers)

  def clozes(self, split: str, place: str) -> list[Cloze]:
    """Reads the queries of a split."""
    return _files.FileTask.examples(self, split, place)

  def examples(self, split: str, place: str = "") -> list[Question]:
    return [
      Question(
        cloze.id,
        "",
        cloze.passage,
        cloze.query,
        tuple(Span(text, at) for text, at in cloze.answers),
      )
      for cloze in self.clozes(split, place)
    ]

  def measure(self, scorer, dataset, quick=False) -> base.Measure:
    clozes = self.clozes(TEST, self.place)
    clozes = records.chosen(clozes, self.limit, self.seed)
    pairs = [pair for cloze in clozes for pair in filled(cloze)]
    scores = iter(scorer.choices(pairs).sums)
    exact, f1, predictions = [], [], []
    for cloze in clozes:
      own = [float(next(scores)) for _ in cloze.entities]
      answer = cloze.entities[own.index(max(own))]
      right = [text for text, _ in cloze.answers]
      split = _reading.splitter(cloze.passage)
      exact.append(max(_reading.exact_match(answer, x, split) for x in right))
      f1.append(max(_reading.word_f1(answer, x, split) for x in right))
      predictions.append(
        {
          "task": self.name,
          "id": cloze.id,
          "score": f1[-1],
          "passage": cloze.passage,
          "query": cloze.query,
          "choices": cloze.entities,
          "right": right,
          "predicted": answer,
          "scores": own,
        }
      )
    items = {f"{self.name}/f1": f1, f"{self.name}/exact_match": exact}
    metrics = {name: _reading.mean(values) for name, values in items.items()}
    metrics[f"{self.name}/items"] = float(len(clozes))
    return base.Measure(metrics, items, predictions)


def filled(cloze: Cloze) -> Iterator[tuple[str, str]]:
  """Yields the passage, and the sentence with each name filled in."""
  passage = cloze.passage.replace("\n@highlight\n", "\n").rstrip()
  for entity in cloze.entities:
    yield passage, "\n" + cloze.query.replace(PLACEHOLDER, entity)
