"""BLiMP: is the grammatical sentence of each of 67,000 pairs preferred?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lm_jax.data import records
from lm_jax.tasks import _pairs, base


class Blimp(base.DataTask):
  """Warstadt et al. 2020: accuracy by the model's own score, ties as half.

  Over all pairs, by field, by phenomenon (term) and by paradigm (uid), of
  which each has 1,000 pairs. A sentence is scored as it stands.
  """

  def measure(self, scorer, dataset, quick=False) -> base.Measure:
    pairs = records.chosen(list(self.pairs()), self.limit, self.seed)
    return _pairs.measure(scorer, pairs, self.name, {})

  def pairs(self) -> Iterator[_pairs.Pair]:
    for where, record in self._records():
      uid = records.text(record, ("uid", "UID"), where)
      number = record.get("pair_id", record.get("pairID", where))
      term = records.text(record, ("term", "linguistics_term"), where)
      field = records.text(record, ("field",), where)
      yield _pairs.Pair(
        id=f"{uid}/{number}",
        good=records.text(record, ("good", "sentence_good"), where),
        bad=records.text(record, ("bad", "sentence_bad"), where),
        groups=(f"field/{field}", f"term/{term}", f"uid/{uid}"),
      )

  def _records(self) -> Iterator[tuple[str, dict[str, Any]]]:
    if self.place:
      yield from records.read(self.place, self.flag)
      return
    for name in records.configurations("blimp"):
      yield from records.read("", self.flag, f"blimp/{name}", "train")
