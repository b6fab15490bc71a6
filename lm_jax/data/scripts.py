"""Words of texts in any script.

Scripts without spaces between words (Chinese, Japanese, Thai, ...) are counted
by character, as CMRC 2018, MLQA and LCSTS do.
"""

from __future__ import annotations

import itertools
import unicodedata
from collections.abc import Callable, Iterable, Iterator

# First and last code points of the scripts without spaces between words.
_UNSPACED = (
  *((0x0E00, 0x0EFF), (0x0F00, 0x0FFF)),  # Thai, Lao; Tibetan
  *((0x1000, 0x109F), (0xA9E0, 0xA9FF), (0xAA60, 0xAA7F)),  # Myanmar
  *((0x1780, 0x17FF), (0x1950, 0x19DF)),  # Khmer; Tai Le, New Tai Lue
  *((0x1A20, 0x1AAF), (0x1B00, 0x1B7F), (0xA980, 0xA9DF)),  # of Java, Bali
  *((0x2E80, 0x2FDF), (0x3005, 0x3007), (0x3021, 0x312F)),  # Han, kana
  *((0x31A0, 0x31FF), (0x3400, 0x4DBF), (0x4E00, 0x9FFF)),
  *((0xF900, 0xFAFF), (0xFF66, 0xFF9F), (0x1B000, 0x1B16F)),
  (0x20000, 0x3FFFF),
)
_JOINERS = "\u200c\u200d"  # Inside a word of Persian, or of Hindi.


def is_unspaced(sign: str) -> bool:
  """Is a character of a script without spaces between words?"""
  return any(first <= ord(sign) <= last for first, last in _UNSPACED)


def mostly(texts: Iterable[str], test: Callable[[str], bool]) -> bool:
  """Do half or more of the letters and digits of some texts pass a test?

  False where there are none.
  """
  signs = [
    sign
    for text in texts
    for sign in text
    if unicodedata.category(sign)[0] in "LN"
  ]
  return bool(signs) and 2 * sum(map(test, signs)) >= len(signs)


def unspaced(texts: Iterable[str]) -> bool:
  """Are texts of a script without spaces between words?"""
  return mostly(texts, is_unspaced)


def words(text: str) -> list[str]:
  """Runs of letters and digits in lower case; of some scripts each alone.

  Marks belong to the letter before them.

  >>> words("Он сказал: «нет»"), words("今天 iPhone 15")
  (['он', 'сказал', 'нет'], ['今', '天', 'iphone', '15'])
  """
  text = unicodedata.normalize("NFKC", text).lower()
  found: list[str] = []
  open_ = marks = False  # May a letter, may a mark go on with the last word?
  for sign in text:
    kind = unicodedata.category(sign)[0]
    if sign in _JOINERS:
      continue
    if kind == "M" and marks:
      found[-1] += sign
    elif kind in "LNM":
      alone = is_unspaced(sign)
      if open_ and not alone:
        found[-1] += sign
      else:
        found.append(sign)
      open_, marks = not alone, True
    else:
      open_ = marks = False
  return found


def split(text: str) -> list[str]:
  """Words between spaces; of scripts without spaces, those of `words`.

  >>> split("To be, or"), split("你好。")
  (['To', 'be,', 'or'], ['你', '好'])
  """
  return words(text) if unspaced([text]) else text.split()


def spaced(text: str) -> str:
  """The words of a text with spaces between them."""
  return " ".join(words(text))


def apart(text: str) -> tuple[str, list[str]]:
  """A text without the words that a search by letters misses, and these.

  Of scripts without spaces they are pairs of characters that stand side by
  side, as Lucene's analyzer of Chinese, Japanese and Korean has it; of others
  the words with marks, as Hindi has them, which are letters for no pattern.

  >>> apart("so 北京市 is"), apart("to हिन्दी")
  (('so   is', ['北京', '京市']), ('to  ', ['हिन्दी']))
  """
  if not any(map(_missed, set(text))):
    return text, []
  kept: list[str] = []
  found: list[str] = []
  for is_word, run in itertools.groupby(text, _in_word):
    part = "".join(run)
    if is_word and any(map(_missed, part)):
      found += _pairs(words(part))
      part = " "
    kept.append(part)
  return "".join(kept), found


def _in_word(sign: str) -> bool:
  return sign in _JOINERS or unicodedata.category(sign)[0] in "LMN"


def _missed(sign: str) -> bool:
  return not sign.isascii() and (
    is_unspaced(sign) or unicodedata.category(sign)[0] == "M"
  )


def _pairs(found: Iterable[str]) -> Iterator[str]:
  """Words, and neighbours of scripts without spaces as pairs."""
  for alone, run in itertools.groupby(found, lambda word: is_unspaced(word[0])):
    some = list(run)
    if alone and len(some) > 1:
      yield from map("".join, itertools.pairwise(some))
    else:
      yield from some
