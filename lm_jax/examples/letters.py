"""Names the script of letters and texts, and tells English from its kind."""

from __future__ import annotations

import collections
import functools
import re
import unicodedata
from collections.abc import Iterable

LATIN, HAN, JAPANESE = "Latin", "Han", "Japanese"
# First words of the names of letters, where the script is called otherwise.
_CALLED = {"Cjk": HAN, "Hiragana": "Kana", "Katakana": "Kana"}
# A text of Han and kana is Japanese with this share of kana: Chinese quotes a
# の now and then.
_LEAST_KANA = 0.1

_WORD = re.compile(r"[A-Za-z]+")
_COMMON_TEXT = "the of and to a in is that it was for with he as on"
_COMMON = frozenset(_COMMON_TEXT.split())
# Of German, Dutch, French, Spanish, Portuguese, Italian, Turkish, Polish,
# Indonesian and others; none is a common word of English.
_FOREIGN_TEXT = (
  "der das und ist von zu den mit nicht ein eine auf het een van dat le la les"
  " et des du que est une el los las y en por un di il che e o os um uma da"
  " della bir ve bu da de w z na nie yang dan di ini och att som det av ei ja"
  " og til"
)
_FOREIGN = frozenset(_FOREIGN_TEXT.split())
# Shares of the words of a text: of English by far more than of any other
# language, and of a mixture of English with another one less.
_ENGLISH, _ARTICLE, _MIXED = 0.12, 0.02, 0.03


@functools.lru_cache(maxsize=2**16)
def script_of(sign: str) -> str:
  """Names the script of a letter, "Latin"; "" of what is no letter.

  Hiragana and katakana are both "Kana".
  """
  if unicodedata.category(sign)[0] != "L":
    return ""
  name = unicodedata.name(sign, "").partition(" ")[0].capitalize()
  return _CALLED.get(name.partition("-")[0], name)


def letters(texts: Iterable[str]) -> collections.Counter[str]:
  """Counts the letters of each script."""
  signs: collections.Counter[str] = collections.Counter()
  for text in texts:
    signs.update(text)
  counts: collections.Counter[str] = collections.Counter()
  for sign, count in signs.items():
    if script := script_of(sign):
      counts[script] += count
  return counts


def with_japanese(counts: collections.Counter[str]) -> dict[str, int]:
  """Counts Han and kana together as Japanese, or as Han with few kana."""
  merged = dict(counts)
  kana, han = merged.pop("Kana", 0), merged.get(HAN, 0)
  if kana and kana >= _LEAST_KANA * (kana + han):
    merged.pop(HAN, None)
    merged[JAPANESE] = kana + han
  return merged


def main_script(text: str) -> str:
  """Names the script of most letters of a text; "" without letters."""
  counts = with_japanese(letters([text]))
  return max(counts, key=lambda name: counts[name], default="")


def is_english(texts: Iterable[str]) -> bool:
  """Returns whether a text of Latin letters is English and nothing else.

  Its common words decide; a mixture of English and another language is none.
  """
  common = foreign = article = total = 0
  for text in texts:
    for word in _WORD.findall(text.lower()):
      total += 1
      common += word in _COMMON
      foreign += word in _FOREIGN
      article += word == "the"
  return (
    common >= _ENGLISH * total
    and article >= _ARTICLE * total
    and foreign <= _MIXED * total
    and total > 0
  )


def is_english_sentence(sentence: str) -> bool:
  """Returns whether a sentence of a mixture is English, by its common words."""
  words = _WORD.findall(sentence.lower())
  common = sum(word in _COMMON for word in words)
  foreign = sum(word in _FOREIGN for word in words)
  return sentence.isascii() and common > max(1, foreign)
