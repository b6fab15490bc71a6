"""What a text says as triples: subject, relation, object."""

from __future__ import annotations

from collections.abc import Sequence

from lm_jax.examples import semeval, splits, text_pairs
from lm_jax.examples.forms import Rewriting
from lm_jax.support.errors import UsageError
from lm_jax.tasks import base


class Triples(base.SupervisedTask):
  """Exact triples, F1 over all of them (micro), case aside.

  Written as text, "a | r | b ; c | r | d" (Huguet Cabot and Navigli 2021), of
  any JSONL of texts and triples, or of SemEval-2010 task 8.
  """

  objective = "respond"
  primary = "f1"

  def examples(self, split: str, place: str = "") -> list[Rewriting]:
    if not place:
      raise UsageError(
        "--task=triples: needs --task_data=triples=PATH, of texts and triples"
      )
    readers = dict.fromkeys((".jsonl", ".txt", ".TXT"), text_pairs.triples)
    flag = "--task_data=triples"
    found: list[Rewriting] = splits.read(
      place, flag, split, readers, semeval.NAMES
    )
    return found

  def judge(
    self, predicted: Sequence[str], examples: Sequence[Rewriting]
  ) -> base.Judged:
    base.require_equal(predicted, examples, self.name)
    hits = told = there = 0
    scores = []
    for text, example in zip(predicted, examples, strict=True):
      a, b = _found(text), _found(example.references[0])
      both = len(a & b)
      hits, told, there = hits + both, told + len(a), there + len(b)
      scores.append(2 * both / (len(a) + len(b)) if a or b else 1.0)
    metrics = {
      "f1": 2 * hits / max(told + there, 1),
      "precision": hits / max(told, 1),
      "recall": hits / max(there, 1),
    }
    return base.Judged(metrics, scores)


def _found(text: str) -> set[tuple[str, ...]]:
  return {
    tuple(part.casefold() for part in one) for one in text_pairs.parsed(text)
  }
