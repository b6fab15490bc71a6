"""Measures triples of subject, relation and object from a text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lm_jax.examples import files, text_pairs
from lm_jax.examples.forms import Rewriting
from lm_jax.tasks import _files, base


class Triples(_files.FileTask):
  """Measures F1 over all exact triples (micro), ignoring case.

  Triples are written as text, "a | r | b ; c | r | d" (Huguet Cabot and Navigli
  2021). The data are any JSONL of texts and triples, or SemEval-2010 task 8.
  """

  objective = "respond"
  primary = "f1"

  names = _files.SEMEVAL

  def readers(self) -> Mapping[str, files.Reader]:
    return dict.fromkeys((".jsonl", ".txt", ".TXT"), text_pairs.triples)

  def judge(
    self, predicted: Sequence[str], examples: Sequence[Rewriting]
  ) -> base.Judged:
    base.require_equal(predicted, examples, self.name)
    hits = predictions = references = 0
    scores = []
    for text, example in zip(predicted, examples, strict=True):
      a, b = _triples(text), _triples(example.references[0])
      both = len(a & b)
      hits += both
      predictions, references = predictions + len(a), references + len(b)
      scores.append(2 * both / (len(a) + len(b)) if a or b else 1.0)
    metrics = {
      "f1": 2 * hits / max(predictions + references, 1),
      "precision": hits / max(predictions, 1),
      "recall": hits / max(references, 1),
    }
    return base.Judged(metrics, scores)


def _triples(text: str) -> set[tuple[str, ...]]:
  return {
    tuple(part.casefold() for part in one) for one in text_pairs.parsed(text)
  }
