"""Cuts runs of scripts that are written without spaces into words.

Chinese by rjieba (jieba's dictionary), and Japanese, Thai, Lao, Khmer and
Burmese by ICU's dictionaries, of the extra `languages`; what is not installed,
and scripts without a dictionary, by character with its marks (UAX 29).
Without jieba's model of unknown words, and with traditional characters made
simple first, F1 of words is higher on the People's Daily of January 1998.
"""

from __future__ import annotations

import functools
import importlib.metadata
import itertools
from collections.abc import Collection, Iterable, Iterator
from typing import Any

import regex

from lm_jax.support.optional import if_installed

CHARACTERS = "characters"
# The writings whose words a library finds, by the characters that tell them.
_KANA = r"\u3041-\u30ff\u31f0-\u31ff\uff66-\uff9f\U0001b000-\U0001b16f"
_HAN = (
  r"\u2e80-\u2fdf\u3005-\u3007\u3021-\u3029\u3038-\u303b\u3400-\u4dbf"
  r"\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
)
_CLASSES = {
  "Chinese": _HAN,
  "Japanese": _KANA,
  "Thai": r"\u0e00-\u0e7f",
  "Lao": r"\u0e80-\u0eff",
  "Khmer": r"\u1780-\u17ff",
  "Burmese": r"\u1000-\u109f\ua9e0-\ua9ff\uaa60-\uaa7f",
  # Without a dictionary: Tibetan, Bopomofo, Tai Le, Balinese, Javanese.
  "others": (
    r"\u0f00-\u0fff\u3105-\u312f\u31a0-\u31bf\u1950-\u19df\u1a20-\u1aaf"
    r"\u1b00-\u1b7f\ua980-\ua9df"
  ),
}
_MARKS = "marks"
WRITINGS = (*_CLASSES, _MARKS)
_SIGN = {name: regex.compile(f"[{signs}]") for name, signs in _CLASSES.items()}
_SIGN[_MARKS] = regex.compile(r"[\p{L}\p{N}]\p{M}")
_CHARACTER = regex.compile(r"\X")
# Runs of one writing; Han and kana are one, as Japanese mixes them.
_WRITING = regex.compile(
  rf"(?P<Han>[{_HAN}{_KANA}]+)"
  + "".join(
    f"|(?P<{name}>[{signs}]+)"
    for name, signs in _CLASSES.items()
    if name not in ("Chinese", "Japanese")
  )
  + r"|\X"
)
# Of the characters of a Japanese line that are Han or kana, at least this
# share is kana; a Chinese one quotes a の now and then.
_LEAST_KANA = 0.1

Span = tuple[int, int]


_library = functools.cache(if_installed)


@functools.cache
def _named(name: str) -> str:
  """Name and version of a library, "" where it is not installed."""
  library = _library(name)
  if library is None:
    return ""
  if name == "icu":  # The version of its data, not of the module.
    return f"icu {library.ICU_VERSION}"
  return f"{name} {importlib.metadata.version(name)}"


def used(writings: Collection[str]) -> str:
  """Names what cuts some writings: "Chinese by rjieba 0.2.2 and icu 78.3".

  Args:
    writings: as `writings_of` names them; "marks" are cut by nothing.
  """
  icu = _named("icu")
  names = []
  for writing in sorted(set(writings) & set(_CLASSES)):
    name = "" if writing == "others" else icu
    if writing == "Chinese":
      name = " and ".join(filter(None, (_named("rjieba"), icu)))
      name = name if _named("rjieba") else ""
    names.append(f"{writing} by {name or CHARACTERS}")
  return "; ".join(names)


def writings_of(
  texts: Iterable[str], among: Collection[str] = WRITINGS
) -> list[str]:
  """Lists the writings of texts whose words are no runs of letters; sorted.

  "marks": letters with combining marks, in any writing. Reads on until all
  of them have been seen.
  """
  left = {name: _SIGN[name] for name in WRITINGS if name in among}
  seen = []
  for text in texts:
    if text.isascii():
      continue
    for name in [name for name, sign in left.items() if sign.search(text)]:
      seen.append(name)
      del left[name]
    if not left:
      break
  return sorted(seen)


class Cutter:
  """Cuts runs of a text; the lines around a run tell Japanese from Chinese."""

  def __init__(self, text: str):
    self._text = text
    self._kana = bool(_SIGN["Japanese"].search(text))
    # The line that was judged last, and whether it is Japanese.
    self._line = (0, 0)
    self._japanese = False

  def __call__(self, start: int, end: int) -> Iterator[Span]:
    """Yields the words of text[start:end], characters without spaces only.

    Runs are asked for in order.
    """
    for match in _WRITING.finditer(self._text, start, end):
      writing = match.lastgroup
      if writing == "Han":
        japanese = self._kana and self._is_japanese(match.start())
        writing = "Japanese" if japanese else "Chinese"
      run = match.group()
      words = [run] if len(run) == 1 or not writing else _cut(run, writing)
      ends = itertools.accumulate(map(len, words), initial=match.start())
      yield from itertools.pairwise(ends)

  def _is_japanese(self, at: int) -> bool:
    """Judges the line; where it has no kana, the text."""
    if not self._line[0] <= at < self._line[1]:
      first = self._text.rfind("\n", 0, at) + 1
      last = self._text.find("\n", at)
      self._line = first, last if last >= 0 else len(self._text)
      line = self._text[slice(*self._line)]
      has_kana = _SIGN["Japanese"].search(line)
      self._japanese = _mostly_kana(line) if has_kana else self._whole
    return self._japanese

  @functools.cached_property
  def _whole(self) -> bool:
    return _mostly_kana(self._text)


def _mostly_kana(text: str) -> bool:
  kana = len(_SIGN["Japanese"].findall(text))
  return kana >= _LEAST_KANA * (kana + len(_SIGN["Chinese"].findall(text)))


def _cut(run: str, writing: str) -> list[str]:
  """Cuts a run of one writing into words; joined they are the run."""
  icu, jieba = _library("icu"), _library("rjieba")
  if writing == "Chinese" and jieba:
    return _by_jieba(run, jieba, icu)
  if writing not in ("Chinese", "others") and icu:
    return _by_icu(run, icu)
  return _characters(run)


def _characters(run: str) -> list[str]:
  return _CHARACTER.findall(run)


def _by_jieba(run: str, jieba: Any, icu: Any) -> list[str]:
  """Cuts Chinese by the dictionary alone, which is in simplified characters.

  F1 on the People's Daily with jieba's model of unknown words (HMM): 0.76, as
  here: 0.79; the same text in traditional characters: as it is 0.48, made
  simple 0.79.
  """
  plain = run
  if icu:
    plain = _simplifier().transliterate(run)
    plain = plain if len(plain) == len(run) else run
  ends = itertools.accumulate(map(len, jieba.cut(plain, False)), initial=0)
  return [run[a:b] for a, b in itertools.pairwise(ends)]


@functools.cache
def _simplifier() -> Any:
  library = _library("icu")
  return library.Transliterator.createInstance("Traditional-Simplified")


def _by_icu(run: str, icu: Any) -> list[str]:
  # The locale changes nothing: scripts choose the dictionary.
  breaks = icu.BreakIterator.createWordInstance(icu.Locale.getRoot())
  # Its positions are those of UTF-16.
  data = run.encode("utf-16-le")
  breaks.setText(run)
  ends = [2 * end for end in breaks]
  return [
    data[a:b].decode("utf-16-le") for a, b in itertools.pairwise([0, *ends])
  ]
