"""Measures SemEval-2010 task 8: the relation of two marked words."""

from __future__ import annotations

from collections.abc import Sequence

from lm_jax.examples import semeval, splits
from lm_jax.examples.labelled import Example, Form
from lm_jax.support.errors import UsageError
from lm_jax.tasks import _labels, base


class Semeval2010t8(base.LabelledTask):
  """Hendrickx et al. 2010; macro-F1 of nine relations, by the official rule.

  The entities are marked in the text, <e1>...</e1> and <e2>...</e2>.
  """

  primary = "macro_f1"

  form = Form(fields={"text": ("text", "sentence")}, labels=semeval.LABELS)

  def examples(self, split, place=""):
    if not place:
      raise UsageError(
        f"--task={self.name}: TFDS has it not; name its files by"
        f" --task_data={self.name}=PATH"
      )

    def read(path):
      for where, name, record in semeval.records(path):
        yield self.form.example(record, name, where)

    flag, readers = f"--task_data={self.name}", {".jsonl": read, ".txt": read}
    readers[".TXT"] = read
    examples: list[Example] = splits.read(
      place, flag, split, readers, semeval.NAMES
    )
    return examples

  def metrics(self, predicted, right):
    return {"macro_f1": macro_f1(predicted, right)}


def macro_f1(predicted: Sequence[str], right: Sequence[str]) -> float:
  """Computes mean F1 of the nine relations, the official (9+1)-way score.

  A hit must have the right direction; predictions and examples of a relation
  are counted in both directions. "Other" is not one of the relations, but
  confusing it with one is an error.
  """
  predicted = _labels.known(predicted, semeval.LABELS)
  scores = []
  for relation in semeval.RELATIONS:
    of_it = [
      (p.partition("(")[0] == relation, r.partition("(")[0] == relation, p == r)
      for p, r in zip(predicted, right, strict=True)
    ]
    hits = sum(p and same for p, _, same in of_it)
    told, there = sum(p for p, _, _ in of_it), sum(r for _, r, _ in of_it)
    scores.append(2 * hits / (told + there) if told + there else 0.0)
  return sum(scores) / len(scores)
