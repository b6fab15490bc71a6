"""Probes frozen features for the label of a held-out document."""

from __future__ import annotations

import functools
from typing import Any

from lm_jax.data.corpus import Corpus
from lm_jax.examples import passages, records
from lm_jax.tasks import _probe, base

METRIC = "probe/label"


class Label(base.Task):
  """Accuracy on labels that stand beside documents (--data.label_key).

  A linear probe on frozen features, like era and party: passages of training
  documents train it, those of held-out documents are asked, and each label has
  equally many, so that chance is 1 / (number of labels), which is told.
  """

  def measure(self, scorer, dataset, quick=False) -> base.Measure:
    if dataset.corpus.labelled is None:
      return base.Measure()
    data = drawn(dataset.corpus)
    if not data.labels:
      return base.Measure()
    numbered = records.chosen(list(enumerate(data.test)), self.limit, self.seed)
    test = [passage for _, passage in numbered]
    answers = _probe.answered(scorer, data.train, test)
    right = [float(a == p.label) for a, p in zip(answers, test, strict=True)]
    names = data.labels
    predictions: list[dict[str, Any]] = [
      {"task": self.name, "id": str(number), "score": score, "asked": p.text}
      | {"right": names[p.label], "answer": names[answer]}
      for (number, p), answer, score in zip(
        numbered, answers, right, strict=True
      )
    ]
    metrics = {
      METRIC: sum(right) / len(right),
      f"{METRIC}/chance": 1 / len(names),
      f"{METRIC}/labels": float(len(names)),
    }
    return base.Measure(metrics, {METRIC: right}, predictions, "features")

  def why_not(self, scorer, dataset) -> str:
    if dataset.corpus.labelled is None:
      return "the run has no labels (--data.label_key)"
    return (
      f"fewer than two labels of {dataset.corpus.name} have documents in both"
      " the training and the test split"
    )


def drawn(corpus: Corpus) -> passages.Labelled:
  """Draws the passages of a corpus, the same for every model."""
  return _drawn(corpus, corpus.label_key)


# All models of an experiment are measured on the same ones.
@functools.lru_cache(maxsize=4)
def _drawn(corpus: Corpus, key: str) -> passages.Labelled:
  return passages.labelled(corpus, _probe.PASSAGES, base.SEED)


def probe_counts(dataset: Any) -> int:
  """Counts the items of the probe with the most that a run will have."""
  counts = [
    len(_probe.drawn(dataset.corpus, task, "test")) for task in passages.LABELS
  ]
  if dataset.corpus.labelled is not None:
    counts.append(len(drawn(dataset.corpus).test))
  return max(counts, default=0)
