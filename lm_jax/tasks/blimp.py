"""Measures BLiMP: is the grammatical sentence of a pair preferred?"""

from __future__ import annotations

import pathlib
from collections.abc import Iterator

from lm_jax.data import paths
from lm_jax.examples import records
from lm_jax.examples.files import Source
from lm_jax.support import errors
from lm_jax.tasks import _pairs, base

# Names of the fields: in lm_jax, in BLiMP and ZhoBLiMP, in JBLiMP, and in
# MultiBLiMP.
_GOOD = ("good", "sentence_good", "good_sentence", "sen")
_BAD = ("bad", "sentence_bad", "bad_sentence", "wrong_sen")
_UID = ("uid", "UID", "paradigm", "phenomenon")
_NUMBER = ("pair_id", "pairID", "ID")
# Groups of the pairs of a paradigm; other languages have no field.
_GROUPS = {
  "field": ("field",),
  "term": ("term", "linguistics_term", "phenomenon"),
}


class Blimp(base.DataTask):
  """Measures accuracy by the model's own score; ties count half.

  Warstadt et al. 2020. It is given over all 67,000 pairs, by field, by
  phenomenon (term) and by paradigm (uid); each paradigm has 1,000 pairs.
  Sentences are scored unchanged. Similar files in other languages are read too,
  ZhoBLiMP (Liu et al. 2024) and JBLiMP (Someya and Oseki 2023) with the names
  of their fields; all .jsonl files of a directory, one per paradigm, are read.
  With a limit equally many pairs of each paradigm are drawn (or one more of
  some), so that the mean is still over paradigms.
  """

  def measure(self, scorer, dataset, quick=False) -> base.Measure:
    pairs = records.balanced(
      list(self.pairs()), self.limit, self.seed, lambda pair: pair.groups[-1]
    )
    return _pairs.measure(scorer, pairs, self.name)

  def pairs(self) -> Iterator[_pairs.Pair]:
    for where, _, record in self._records():
      number = next((record[n] for n in _NUMBER if n in record), where)
      with errors.about(where):
        uid = records.text(record, *_UID)
        groups = [
          f"{group}/{records.text(record, *names)}"
          for group, names in _GROUPS.items()
          if any(name in record for name in names)
        ]
        pair = _pairs.Pair(
          id=f"{uid}/{number}",
          good=records.text(record, *_GOOD),
          bad=records.text(record, *_BAD),
          groups=(*groups, f"uid/{uid}"),
        )
      yield pair

  def _records(self) -> Source:
    if not self.place:
      from lm_jax.data import catalog

      for name in catalog.configurations("blimp"):
        yield from records.read("", self.flag, f"blimp/{name}", "train")
    elif paradigms := self._paradigms():
      for path in paradigms:
        yield from records.read_file(path)
    else:
      yield from records.read(self.place, self.flag)

  def _paradigms(self) -> list[pathlib.Path]:
    """Lists the files of a directory with one per paradigm; else []."""
    folder = pathlib.Path(self.place).expanduser()
    if not folder.is_dir():
      return []
    files = [
      pathlib.Path(name)
      for name in paths.expand(str(folder))
      if name.endswith((".jsonl", ".jsonl.gz"))
    ]
    named = any(path.name.partition(".")[0] in records.SPLITS for path in files)
    return [] if named else files
