"""Measures WinoGrande: which of two names belongs in a blank?"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from lm_jax.examples import files, records
from lm_jax.support.errors import UsageError, short
from lm_jax.tasks import base


class Winogrande(base.DataTask):
  """Scores both names by partial scoring (Trinh and Le 2018).

  Sakaguchi et al. 2020; like lm-evaluation-harness: the text after the blank is
  scored after the text with each name in the blank. It is not a LabelledTask,
  since the two prompts differ and not the choices. A model without an exact
  likelihood has its objective's own scores. Ties count half in the accuracy;
  scores per token or byte would give the same.
  """

  def measure(self, scorer, dataset, quick=False) -> base.Measure:
    source = records.read(self.place, self.flag, "winogrande", "validation")
    items = list(files.made(source, _item))
    items = records.chosen(items, self.limit, self.seed)
    pairs = [
      (item.before + option, f" {item.after}")
      for item in items
      for option in item.options
    ]
    scores = scorer.choices(pairs).sums.reshape(-1, 2)
    right_scores, predictions = [], []
    for item, own in zip(items, scores, strict=True):
      best = np.flatnonzero(own == own.max())
      right_scores.append(float(item.right in best) / len(best))
      predictions.append(
        {
          "task": self.name,
          "id": item.id,
          "score": right_scores[-1],
          "text": f"{item.before}_ {item.after}",
          "choices": item.options,
          "right": item.options[item.right],
          "predicted": item.options[int(best[0])],
          "scores": own.tolist(),
        }
      )
    metrics = {
      "winogrande": float(np.mean(right_scores)),
      "winogrande/items": float(len(items)),
    }
    return base.Measure(metrics, {"winogrande": right_scores}, predictions)


class _Item(NamedTuple):
  """A text around a blank, two names for it, and the index of the right one."""

  id: str
  before: str
  options: list[str]
  after: str
  right: int


def _item(record: files.Record, name: str) -> _Item:
  text = records.text(record, "sentence")
  before, blank, after = text.partition("_")
  if not blank or not after.strip():
    raise UsageError(f"field sentence={short(text)}: has no _")
  options = [records.text(record, f"option{i}") for i in (1, 2)]
  answer = files.first_field(record, ("answer", "label"))
  if str(answer) not in ("1", "2"):
    raise UsageError(f"field answer={short(answer)}: must be one of 1, 2")
  return _Item(name, before, options, after.strip(), int(answer) - 1)
