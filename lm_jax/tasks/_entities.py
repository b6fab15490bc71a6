"""Shares code of tasks with named entities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lm_jax.examples import conll, files
from lm_jax.examples.forms import Tagged
from lm_jax.support import optional
from lm_jax.tasks import _files, base


class EntityTask(_files.FileTask):
  """Entity F1 by seqeval: an entity counts if its words and kind are right."""

  objective = "label_tokens"
  primary = "f1"

  def readers(self) -> Mapping[str, files.Reader]:
    return conll.READERS

  def judge(
    self, predicted: Sequence[Sequence[str]], examples: Sequence[Tagged]
  ) -> base.Judged:
    library = optional.need("seqeval.metrics", self.name)
    base.require_equal(predicted, examples, self.name)
    right = [list(example.tags) for example in examples]
    answers = [list(tags) for tags in predicted]
    for example, tags in zip(examples, answers, strict=True):
      base.require_equal(
        tags, example.words, f"{self.name}, example {example.id}"
      )
    report = library.classification_report(
      right, answers, output_dict=True, zero_division=0
    )
    overall = report["micro avg"]
    metrics = {
      "f1": overall["f1-score"],
      "precision": overall["precision"],
      "recall": overall["recall"],
    }
    metrics |= {
      f"f1/{kind}": scores["f1-score"]
      for kind, scores in report.items()
      if not kind.endswith(" avg")
    }
    metrics = {name: float(value) for name, value in metrics.items()}
    entities = optional.need("seqeval.metrics.sequence_labeling", self.name)
    f1_scores = [
      _f1(set(entities.get_entities(a)), set(entities.get_entities(b)))
      for a, b in zip(answers, right, strict=True)
    ]
    return base.Judged(metrics, f1_scores)


def _f1(predicted: set, right: set) -> float:
  """Computes F1 of one sentence; 1 without right and predicted entities."""
  if not predicted and not right:
    return 1.0
  return 2 * len(predicted & right) / (len(predicted) + len(right))
