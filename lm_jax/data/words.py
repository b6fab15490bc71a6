"""Finds the words of texts in any script: the one place for what a word is.

There is no flag of a language; the script of each run of characters decides.
Words of scripts with spaces are letters with their marks. Scripts without
spaces are cut by a segmenter where the extra `languages` is installed, else by
character: see segmenters.py. Published measures (CMRC 2018, MLQA, LCSTS) count
such scripts by character whatever is installed: `mixed_words`.
"""

from __future__ import annotations

import itertools
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence

import regex

from lm_jax.data import segmenters

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

_RANGES = "".join(f"\\U{a:08x}-\\U{b:08x}" for a, b in _UNSPACED)
# Sets of `regex` (version 1): letters, marks and digits of scripts without
# spaces, and of others.
UNSPACED = rf"[[\p{{L}}\p{{M}}\p{{N}}]&&[{_RANGES}]]"
SPACED = rf"[[\p{{L}}\p{{M}}\p{{N}}]--[{_RANGES}]]"
_LETTER = rf"[\p{{L}}--[{_RANGES}]]"
# A run of a script without spaces; or a word of another one. An apostrophe, a
# middle dot or Hebrew's geresh joins letters, a point or comma digits.
_RUN = regex.compile(
  rf"(?V1)(?P<alone>{UNSPACED}+)"
  rf"|[\p{{L}}\p{{N}}](?:{SPACED}|[{_JOINERS}]|['’·׳״](?={_LETTER})"
  r"|(?<=\p{Nd})[.,](?=\p{Nd}))*+"
)
_MARK = regex.compile(r"\p{M}")
_MISSED = regex.compile(rf"(?V1){UNSPACED}|[\p{{L}}\p{{N}}]\p{{M}}")

Span = tuple[int, int]


def is_unspaced(sign: str) -> bool:
  """Returns whether a character is of a script without spaces between words."""
  return any(first <= ord(sign) <= last for first, last in _UNSPACED)


def mostly(texts: Iterable[str], test: Callable[[str], bool]) -> bool:
  """Returns whether half or more of the letters and digits pass a test.

  False for texts without letters and digits.
  """
  signs = [
    sign
    for text in texts
    for sign in text
    if unicodedata.category(sign)[0] in "LN"
  ]
  return bool(signs) and 2 * sum(map(test, signs)) >= len(signs)


def unspaced(texts: Iterable[str]) -> bool:
  """Returns whether texts are of a script without spaces between words."""
  return mostly(texts, is_unspaced)


def spans(text: str) -> list[Span]:
  """Finds the words of a text: first character and end of each, in order.

  White space, punctuation and other signs lie between them. What cuts scripts
  without spaces depends on what is installed; `segmenters.used` names it.

  >>> text = "Don't go, 3.5 नमस्ते"
  >>> [text[a:b] for a, b in spans(text)]
  ["Don't", 'go', '3.5', 'नमस्ते']
  """
  return _spans(text, all_of_them=True)


def missed_spans(text: str) -> list[Span]:
  """Finds the words that a tokenizer's own rule may part, or not part.

  They are those of scripts without spaces, and those with marks: all others of
  `spans` are runs of letters.
  """
  if text.isascii() or not _MISSED.search(text):
    return []
  return _spans(text, all_of_them=False)


def _spans(text: str, all_of_them: bool) -> list[Span]:
  cut = segmenters.Cutter(text)
  made: list[Span] = []
  for match in _RUN.finditer(text):
    if match["alone"]:
      made += cut(*match.span())
    elif all_of_them or _MARK.search(match[0]):
      made.append(match.span())
  return made


def mixed_words(text: str) -> list[str]:
  """Splits a text into runs of letters and digits, in lower case.

  Each character of a script without spaces is a word, whatever is installed:
  the mixed segmentation of CMRC 2018 and MLQA. Marks belong to the letter
  before them.

  >>> mixed_words("Он сказал: «нет»"), mixed_words("今天 iPhone 15")
  (['он', 'сказал', 'нет'], ['今', '天', 'iphone', '15'])
  """
  text = unicodedata.normalize("NFKC", text).lower()
  runs: list[str] = []
  open_ = marks = False  # May a letter, may a mark go on with the last word?
  for sign in text:
    kind = unicodedata.category(sign)[0]
    if sign in _JOINERS:
      continue
    if kind == "M" and marks:
      runs[-1] += sign
    elif kind in "LNM":
      alone = is_unspaced(sign)
      if open_ and not alone:
        runs[-1] += sign
      else:
        runs.append(sign)
      open_, marks = not alone, True
    else:
      open_ = marks = False
  return runs


def split(text: str) -> list[str]:
  """Splits a text at spaces; one without spaces by `mixed_words`.

  >>> split("To be, or"), split("你好。")
  (['To', 'be,', 'or'], ['你', '好'])
  """
  return mixed_words(text) if unspaced([text]) else text.split()


def joined(parts: Sequence[str]) -> tuple[str, list[int]]:
  """Joins the words of a text, with the spaces that their scripts have.

  There is none beside a character of a script without spaces, or beside its
  punctuation; nor anywhere in such a text if all words are characters.

  Returns:
    The text, and where each word starts in it.

  >>> joined(["他", "在", "IBM", "，", "not", "here"])
  ('他在IBM，not here', [0, 1, 2, 5, 6, 10])
  """
  tight = all(len(word) == 1 for word in parts) and any(
    is_unspaced(sign) for sign in parts
  )
  pieces: list[str] = []
  starts: list[int] = []
  size = 0
  before = ""
  for word in parts:
    sides = before[-1:], word[:1]
    if before and not (tight or any(map(_stands_tight, sides))):
      pieces.append(" ")
      size += 1
    starts.append(size)
    pieces.append(word)
    size += len(word)
    before = word
  return "".join(pieces), starts


def _stands_tight(sign: str) -> bool:
  """Tells signs beside which no space stands: Chinese, wide punctuation."""
  return bool(sign) and (
    is_unspaced(sign)
    or "\u3000" <= sign <= "\u303f"
    or "\uff00" <= sign <= "\uff60"
  )


def spaced(text: str) -> str:
  """Joins the words of a text, as `mixed_words` splits it, with spaces."""
  return " ".join(mixed_words(text))


def split_missed_words(text: str) -> tuple[str, list[str]]:
  """Separates a text from the words that a search by letters misses.

  In scripts without spaces these are pairs of neighbouring characters, as in
  Lucene's analyzer of Chinese, Japanese and Korean; in other scripts the words
  with marks, such as Hindi's, which no pattern counts as letters.

  >>> split_missed_words("so 北京市 is"), split_missed_words("to हिन्दी")
  (('so   is', ['北京', '京市']), ('to  ', ['हिन्दी']))
  """
  if not any(map(_missed, set(text))):
    return text, []
  kept: list[str] = []
  missed: list[str] = []
  for is_word, run in itertools.groupby(text, _in_word):
    part = "".join(run)
    if is_word and any(map(_missed, part)):
      missed += _pairs(mixed_words(part))
      part = " "
    kept.append(part)
  return "".join(kept), missed


def _in_word(sign: str) -> bool:
  return sign in _JOINERS or unicodedata.category(sign)[0] in "LMN"


def _missed(sign: str) -> bool:
  return not sign.isascii() and (
    is_unspaced(sign) or unicodedata.category(sign)[0] == "M"
  )


def _pairs(parts: Iterable[str]) -> Iterator[str]:
  """Yields words, and pairs of neighbours in scripts without spaces."""
  for alone, run in itertools.groupby(parts, lambda word: is_unspaced(word[0])):
    some = list(run)
    if alone and len(some) > 1:
      yield from map("".join, itertools.pairwise(some))
    else:
      yield from some
