"""Shares code of Chinese BabyLM's pairs about characters."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from lm_jax.examples import published_pairs, records
from lm_jax.examples.published_pairs import Pair
from lm_jax.tasks import _pairs, base


class HanziTask(base.DataTask):
  """Measures accuracy by the model's own score of two sentences.

  By the rule of Chinese BabyLM 2026 a pair with an unknown token in either
  sentence counts as wrong; their share is "unknown". Accuracy is over pairs;
  "over_uids" is the mean over conditions, as its pipeline has it. Departure:
  ties count half.
  """

  data_set: ClassVar[str]

  def measure(self, scorer, dataset, quick=False) -> base.Measure:
    if not scorer.scoring:
      return base.Measure()
    pairs = records.balanced(
      list(self.pairs()), self.limit, self.seed, lambda pair: pair.groups[-1]
    )
    counts = sum(
      scorer.unknown_counts([getattr(pair, side) for pair in pairs])
      for side in ("good", "bad")
    )
    lost = [bool(count) for count in counts]
    measured = _pairs.measure(scorer, pairs, self.name, lost=lost)
    of_uids = [
      value
      for name, value in measured.metrics.items()
      if name.startswith(f"{self.name}/uid/")
    ]
    measured.metrics[f"{self.name}/over_uids"] = sum(of_uids) / len(of_uids)
    measured.metrics[f"{self.name}/unknown"] = sum(lost) / len(lost)
    return measured

  def why_not(self, scorer, dataset) -> str:
    return "" if scorer.scoring else "the model has no score of a text"

  def pairs(self) -> Iterator[Pair]:
    if self.place:
      yield from published_pairs.read(self.place, self.flag)
      return
    source = records.read("", self.flag, self.data_set, "train")
    yield from published_pairs.from_records(source)
