"""Measures cloze: a word left out of a held-out sentence, among ten."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from lm_jax.examples import cloze_items as cloze_items_lib
from lm_jax.examples import files, records
from lm_jax.examples.cloze_items import ClozeItem
from lm_jax.tasks import base

ITEMS, CHOICES = 300, 10


class Cloze(base.DataTask):
  """Asks which word was left out (Taylor 1953).

  The nine others are its neighbours in frequency, so that frequency is no hint,
  and chance is 1 in 10. A model that fills blanks ranks them by their
  likelihood in the blank, and has a perplexity of the right word; another model
  ranks them by its own score of the whole sentence. Sentences are from the
  corpus's test split, frequencies from its training split; or both from a local
  file of texts.
  """

  @property
  def reads_corpus(self) -> bool:
    return not self.place

  def measure(self, scorer, dataset, quick=False) -> base.Measure:
    if not (scorer.scoring or scorer.fills):
      return base.Measure()
    blanks = self.blanks(dataset)
    if not blanks:
      raise self.error(
        "no item: it takes sentences of 6 words or more, without quotes or"
        f" brackets, and {CHOICES} words of 4 letters (2 in scripts without"
        f" spaces) that occur {cloze_items_lib.ATTESTED} times in the training"
        " text"
      )
    choices = [(b.before, word, b.after) for b in blanks for word in b.words]
    if scorer.fills:
      sums = scorer.blank_scores(choices).sums
    else:
      sums = scorer.text_scores(["".join(parts) for parts in choices])
    scores_NxC = np.reshape(sums, (len(blanks), CHOICES))
    right, predictions, logs = [], [], []
    for number, (blank, own) in enumerate(zip(blanks, scores_NxC, strict=True)):
      place = blank.words.index(blank.word)
      best = np.flatnonzero(own == own.max())
      right.append(float(place in best) / len(best))
      logs.append(float(own[place]))
      predictions.append(
        {
          "task": self.name,
          "id": str(number),
          "score": right[-1],
          "text": f"{blank.before}___{blank.after}",
          "choices": list(blank.words),
          "right": blank.word,
          "predicted": blank.words[int(best[0])],
          "scores": own.tolist(),
        }
      )
    metrics = {"cloze": float(np.mean(right))}
    if scorer.fills:
      metrics["cloze/perplexity"] = math.exp(-float(np.mean(logs)))
    metrics["cloze/items"] = float(len(blanks))
    return base.Measure(metrics, {"cloze": right}, predictions)

  def blanks(self, dataset) -> list[ClozeItem]:
    return cloze_items_lib.make_items(
      lambda split: self._texts(dataset, split),
      *(self.limit or ITEMS, CHOICES, self.seed),
    )

  def _texts(self, dataset, split: str) -> Iterator[str]:
    if self.place:
      source = records.read(self.place, self.flag)
      return files.made(source, lambda record, _: records.text(record, "text"))
    return (document.text for document in dataset.corpus.documents(split))
