"""Measures BLiMP: is the grammatical sentence of a pair preferred?"""

from __future__ import annotations

from collections.abc import Iterator

from lm_jax.examples import published_pairs, records
from lm_jax.examples.published_pairs import Pair
from lm_jax.tasks import _pairs, base
from lm_jax.tasks._linking import Link


class Blimp(base.DataTask):
  """Measures accuracy by the model's own score; ties count half.

  Warstadt et al. 2020. It is given over all 67,000 pairs, by field, by
  phenomenon (term) and by paradigm (uid); each paradigm has 1,000 pairs.
  Sentences are scored unchanged. Sets in other languages are read as they are
  published: ZhoBLiMP (Liu et al. 2024), SLING (Song et al. 2022), JBLiMP
  (Someya and Oseki 2023), RuBLiMP (Taktasheva et al. 2024), TurBLiMP (Basar et
  al. 2025) and MultiBLiMP (Jumelet et al. 2025); see
  lm_jax/examples/published_pairs.py. With a limit equally many pairs of each
  paradigm are drawn (or one more of some), so that the mean is still over
  paradigms.

  link: how a sentence's tokens make its score (_linking.py).
  only_fitting: leave out the pairs that do not fit a row of the model, which is
    else an error.
  """

  link: Link = "sum"
  only_fitting: bool = False

  def measure(self, scorer, dataset, quick=False) -> base.Measure:
    if not scorer.scoring:
      return base.Measure()
    pairs = self.chosen()
    if self.only_fitting:
      pairs = _pairs.fitting(scorer, pairs)
      if not pairs:
        return base.Measure()
    return _pairs.measure(scorer, pairs, self.name, self.link)

  def why_not(self, scorer, dataset) -> str:
    return "" if scorer.scoring else "the model has no score of a text"

  def chosen(self) -> list[Pair]:
    """Returns the pairs that are measured: all, or as many as the limit."""
    return records.balanced(
      list(self.pairs()), self.limit, self.seed, lambda pair: pair.groups[-1]
    )

  def pairs(self) -> Iterator[Pair]:
    if self.place:
      yield from published_pairs.read(self.place, self.flag)
      return
    from lm_jax.data import catalog

    for name in catalog.configurations("blimp"):
      source = records.read("", self.flag, f"blimp/{name}", "train")
      yield from published_pairs.from_records(source)
