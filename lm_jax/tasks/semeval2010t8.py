"""Measures SemEval-2010 task 8: the relation of two marked words."""

from __future__ import annotations

import pathlib
from collections.abc import Iterator, Mapping, Sequence

from lm_jax.examples import files, semeval
from lm_jax.examples.labelled import Example, Form
from lm_jax.tasks import _files, _labels, base


class Semeval2010t8(_files.FileTask, base.LabelledTask):
  """Hendrickx et al. 2010; macro-F1 of nine relations, by the official rule.

  The entities are marked in the text, <e1>...</e1> and <e2>...</e2>.
  """

  primary = "macro_f1"

  form = Form(fields={"text": ("text", "sentence")}, labels=semeval.LABELS)

  names = _files.SEMEVAL

  def readers(self) -> Mapping[str, files.Reader]:
    return dict.fromkeys((".jsonl", ".txt", ".TXT"), self._read)

  def _read(self, path: pathlib.Path) -> Iterator[Example]:
    return files.made(semeval.records(path), self.form.example)

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
