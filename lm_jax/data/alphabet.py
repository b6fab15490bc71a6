"""Counts characters and words of a training text, for alphabets of tokenizers.

Shares of unknown text are estimated by leaving one block of the text out: what
occurs there alone, the rest would not know.
"""

from __future__ import annotations

import bisect
import itertools
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping

# Characters of a document, or of a part of a long one.
_BLOCK = 4096
# First and last code points.
_EAST_ASIAN = (
  *((0x2E80, 0x31FF), (0x3400, 0x9FFF), (0xF900, 0xFAFF), (0xFF00, 0xFFEF)),
  *((0x1B000, 0x1B16F), (0x20000, 0x3FFFF)),
)


def characters(texts: Iterable[str]) -> Counter[str]:
  """Counts the characters of texts."""
  counts: Counter[str] = Counter()
  for text in texts:
    counts.update(text)
  return counts


def ranked(counts: Mapping[str, int]) -> list[str]:
  """Returns what was counted, the most frequent first, ties in order."""
  return sorted(counts, key=lambda sign: (-counts[sign], sign))


def covering(counts: Mapping[str, int], share: float) -> list[str]:
  """Returns the fewest characters that make up a share of the text."""
  order = ranked(counts)
  sums = list(itertools.accumulate(counts[sign] for sign in order))
  needed = bisect.bisect_left(sums, share * sums[-1]) + 1 if sums else 0
  return order[:needed]


def has_marks(texts: Iterable[str]) -> bool:
  """Returns whether texts have combining marks (general category M)."""
  signs: set[str] = set()
  for text in texts:
    if not text.isascii():
      signs.update(text)
  return any(unicodedata.category(sign)[0] == "M" for sign in signs)


def is_east_asian(sign: str) -> bool:
  """Returns whether a character is Han, kana or of their punctuation."""
  code = ord(sign)
  return any(first <= code <= last for first, last in _EAST_ASIAN)


def rare(texts: Iterable[str]) -> set[str]:
  """Returns the characters that one block of the texts has and no other.

  A text that does not hold this block would not know them.
  """
  once: set[str] = set()
  twice: set[str] = set()
  for text in texts:
    for start in range(0, len(text), _BLOCK):
      signs = set(text[start : start + _BLOCK])
      twice |= signs & once
      once |= signs
  return once - twice


def unknown_shares(
  words: Mapping[str, int], counts: Mapping[str, int], rare_signs: set[str]
) -> list[float]:
  """Estimates the share of words that are unknown, by size of the alphabet.

  A word is unknown if one of its characters is, or is rare. Without the word
  itself, a character comes after all those that are as frequent.

  Args:
    words: counts.
    counts: of their characters.
    rare_signs: see `rare`.

  Returns:
    Shares for alphabets of the 0, 1, ... len(counts) most frequent characters.
  """
  last = {counts[sign]: i for i, sign in enumerate(ranked(counts))}
  known = [0] * (len(counts) + 1)  # words that the first so many know
  for word, count in words.items():
    if rare_signs.isdisjoint(word):
      places = (last[counts[sign]] for sign in word)
      known[1 + max(places, default=-1)] += count
  total = max(1, sum(words.values()))
  return [1 - some / total for some in itertools.accumulate(known)]
