"""Joins characters into words by their statistics, where nothing cuts them.

A pair that swaps two characters of one word breaks it, and its tokens become
rare ones: the frequency of tokens alone tells such a pair. So without a
segmenter neighbours that keep together are taken as one word.
"""

from __future__ import annotations

import collections
import itertools
import unicodedata
from collections.abc import Iterable

from lm_jax.data import words as words_lib
from lm_jax.data.words import Span

# Neighbours are of one word if they stand together so many times at least, and
# so many times more often than by chance; words have few characters.
_ATTESTED, _LIFT, _LONGEST = 5, 8.0, 4


class Words:
  """Finds the words of texts; see lm_jax/data/words.py.

  Where that knows characters only, those that cohere in a text are joined.

  by_character: whether that is so, of the scripts without spaces in the texts.

  Args:
    texts: that tell which characters cohere.
  """

  def __init__(self, texts: Iterable[str]):
    single: collections.Counter[str] = collections.Counter()
    double: collections.Counter[tuple[str, str]] = collections.Counter()
    alone = longer = 0
    for text in texts:
      spans = [s for s in words_lib.spans(text) if _is_unspaced(text, s)]
      sizes = [_letters(text[a:b]) for a, b in spans]
      alone += sum(size == 1 for size in sizes)
      longer += sum(size > 1 for size in sizes)
      single.update(text[a:b] for a, b in spans)
      for (a, b), (c, d) in itertools.pairwise(spans):
        if b == c:
          double[text[a:b], text[c:d]] += 1
    total = max(1, single.total())
    self._joined: set[tuple[str, str]] = set()
    # A segmenter leaves fewer characters alone than it joins.
    self.by_character = alone > 2 * longer
    if self.by_character:
      self._joined = {
        (x, y)
        for (x, y), count in double.items()
        if count >= _ATTESTED and count * total >= _LIFT * single[x] * single[y]
      }

  def spans(self, text: str) -> list[Span]:
    """Finds the words of a text: first character and end of each, in order."""
    joined: list[Span] = []
    last = ""
    size = 0
    for a, b in words_lib.spans(text):
      part = text[a:b]
      near = joined and joined[-1][1] == a and size < _LONGEST
      if near and (last, part) in self._joined:
        joined[-1] = joined[-1][0], b
        size += 1
      else:
        joined.append((a, b))
        size = 1
      last = part
    return joined


def _letters(word: str) -> int:
  """Counts characters without the marks on them."""
  return sum(unicodedata.category(sign)[0] != "M" for sign in word)


def _is_unspaced(text: str, span: Span) -> bool:
  return words_lib.is_unspaced(text[span[0]])
