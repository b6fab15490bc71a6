"""Words of a training text that may be put into sentences, by frequency."""

from __future__ import annotations

import collections

ATTESTED = 5  # Times that a form must occur in the training text.
RATIO = 1.5  # Between the frequencies of a word and its replacement.


class AttestedWords:
  """Words that occur often enough; `in` and iteration are over them.

  Args:
    counts: how often each word occurs, in lower case.
  """

  def __init__(self, counts: collections.Counter[str]):
    self._counts = {w: n for w, n in counts.items() if n >= ATTESTED}
    self._by_count = sorted(self._counts, key=lambda w: (self._counts[w], w))
    self._rank = {word: i for i, word in enumerate(self._by_count)}

  def __contains__(self, word: object) -> bool:
    return word in self._counts

  def __iter__(self):
    return iter(self._counts)

  def near(self, word: str) -> list[str]:
    """Returns those of similar frequency that do not begin like a word.

    These are of its 20 neighbours, without those that differ too much.
    """
    rank, count = self._rank[word], self._counts[word]
    around = self._by_count[max(0, rank - 10) : rank + 11]
    return [
      w
      for w in around
      if count / RATIO <= self._counts[w] <= count * RATIO and w[:4] != word[:4]
    ]
