"""Probes frozen features by logistic regression on labelled passages."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

from lm_jax.data.corpus import Corpus, open_corpus
from lm_jax.data.options import DataOptions
from lm_jax.examples import labelled, passages, records
from lm_jax.examples.labelled import Example, Form
from lm_jax.tasks import base

PASSAGES = 300


def form(task: str) -> Form:
  """Makes the form of a task of lm_jax/examples/passages.py."""
  return Form(fields={"text": ("text",)}, labels=passages.LABELS[task])


class PassageTask(base.LabelledTask):
  """Labels of passages of the embedded corpus, or of local files.

  Without shots it is a linear probe on frozen features; with shots the model is
  asked.
  """

  def examples(self, split: str, place: str = "") -> list[Example]:
    if place:
      return super().examples(split, place)
    split = "validation" if split == labelled.DEV else split
    corpus = open_corpus(DataOptions(corpus="sotu"))
    return [
      Example(str(number), {"text": p.text}, self.form.labels[p.label])
      for number, p in enumerate(drawn(corpus, self.name, split))
    ]

  def why_not(self, scorer, dataset) -> str:
    return (
      f"{dataset.corpus.name} is not the embedded corpus, whose messages have"
      " this label; --data.label_key names labels of another one"
    )

  def measure(self, scorer, dataset, quick=False) -> base.Measure:
    """Measures accuracy on passages of held-out messages; empty without labels.

    dataset: with the corpus, which may have labels.
    """
    train, test = (
      drawn(dataset.corpus, self.name, split) for split in ("train", "test")
    )
    if not (train and test):
      return base.Measure()
    numbered = records.chosen(list(enumerate(test)), self.limit, self.seed)
    numbers, test = zip(*numbered, strict=True)
    answers = answered(scorer, train, test)
    right = [float(a == p.label) for a, p in zip(answers, test, strict=True)]
    names = self.form.labels
    predictions = [
      {"task": self.name, "id": str(number), "score": score, "asked": p.text}
      | {"right": names[p.label], "answer": names[answer]}
      for number, p, answer, score in zip(
        numbers, test, answers, right, strict=True
      )
    ]
    name = f"probe/{self.name}"
    metrics = {name: sum(right) / len(right)}
    return base.Measure(metrics, {name: right}, predictions, "features")


def answered(
  scorer, train: Sequence[Any], test: Sequence[Any]
) -> Sequence[int]:
  """Predicts labels by logistic regression on mean-pooled last-layer states.

  Features are standardized on the training passages; C = 1 (scikit-learn). It
  uses one thread, so that sums do not depend on the number of cores.

  Args:
    scorer: the model.
    train, test: passages with fields text and label; the labels of `test` are
      not used.
  """
  from sklearn.linear_model import LogisticRegression
  from sklearn.pipeline import make_pipeline
  from sklearn.preprocessing import StandardScaler
  from threadpoolctl import threadpool_limits

  classifier = make_pipeline(
    StandardScaler(), LogisticRegression(C=1.0, max_iter=2000)
  )
  known = scorer.text_features([p.text for p in train])
  asked = scorer.text_features([p.text for p in test])
  with threadpool_limits(1):
    classifier.fit(known, [p.label for p in train])
    return classifier.predict(asked).tolist()


# All models of an experiment are measured on the same ones.
@functools.lru_cache(maxsize=16)
def drawn(
  corpus: Corpus, task: str, split: str
) -> tuple[passages.Passage, ...]:
  """Draws the passages of a split, the same for every model."""
  return tuple(passages.passages(corpus, task, split, PASSAGES, base.SEED))
