"""Measures WinoGrande: which of two names belongs in a blank?"""

from __future__ import annotations

import numpy as np

from lm_jax.examples import records
from lm_jax.support.errors import short
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
    items = []
    source = records.read(self.place, self.flag, "winogrande", "validation")
    for where, record in source:
      text = records.text(record, ("sentence",), where)
      before, blank, after = text.partition("_")
      if not blank or not after.strip():
        raise self.error(f"{where}: field sentence={short(text)}: has no _")
      names = [records.text(record, (f"option{i}",), where) for i in (1, 2)]
      right = records.one_of(record, ("answer", "label"), ("1", "2"), where)
      items.append((where, before, names, after.strip(), int(right) - 1))
    items = records.chosen(items, self.limit, self.seed)
    pairs = [
      (before + name, f" {after}")
      for _, before, names, after, _ in items
      for name in names
    ]
    scores = scorer.choices(pairs).sums.reshape(-1, 2)
    right_scores, predictions = [], []
    for (where, before, names, after, right), own in zip(
      items, scores, strict=True
    ):
      best = np.flatnonzero(own == own.max())
      right_scores.append(float(right in best) / len(best))
      predictions.append(
        {
          "task": self.name,
          "id": where.rpartition(" ")[2],
          "score": right_scores[-1],
          "text": f"{before}_ {after}",
          "choices": names,
          "right": names[right],
          "predicted": names[int(best[0])],
          "scores": own.tolist(),
        }
      )
    metrics = {
      "winogrande": float(np.mean(right_scores)),
      "winogrande/items": float(len(items)),
    }
    return base.Measure(metrics, {"winogrande": right_scores}, predictions)
