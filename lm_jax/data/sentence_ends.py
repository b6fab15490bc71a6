"""Finds the ends of sentences in every script, by the marks that are there.

Here stands what other languages write differently from English, whose rule is
in text.py: stops, closing quotes, abbreviations, ordinal numbers. Thai and Lao
have no stops; spaces part their clauses, and long clauses count as sentences.
Each rule looks at a bounded piece of the text, so that the time grows with the
text's length and no faster.
"""

from __future__ import annotations

from collections.abc import Iterator

import regex

# What closes behind a stop; “ ‘ « and ‹ do in German.
_WIDE_CLOSERS = r"""["'”’»›)\]」』》〉）】］｝〕〗〙〛]"""
_CLOSERS = rf"(?:{_WIDE_CLOSERS}|[“‘«‹]|\s»(?=\s))"  # French has spaces there.
_WIDE_STOPS = "。！？｡．"
_OTHER_STOPS = "।॥۔؟։።፧៕។။᙮᠃།༎"  # Not Burmese's comma.
LATIN = regex.compile(
  rf"""(?<![.!?…])[.!?…]++{_CLOSERS}*+"""
  r"""(?=\s++(?:["'“‘„‚»‹›(\[¿¡—-]|«\s?)*+([^\W_a-z]))"""
)
# Greek asks with a semicolon.
_GREEK = regex.compile(
  rf"""(?<=\p{{Greek}})[;\u037e]{_CLOSERS}*+(?=\s++[^\w\s]*+([^\W_]))"""
)
# No white space follows these; nor, between such letters, ASCII's ! and ?.
_WIDE = regex.compile(
  rf"(?<![{_WIDE_STOPS}!?…])"
  rf"([{_WIDE_STOPS}!?…]*[{_WIDE_STOPS}][!?…]*+|……+"
  rf"|(?<=[\p{{Han}}\p{{Hiragana}}\p{{Katakana}}])[!?]++)({_WIDE_CLOSERS}*+)"
  rf"(?=\s*+[^\s{_WIDE_STOPS}!?…，、；：,;:」』”’》〉）】])"
)
# White space does, and their letters have no case.
_OTHER = regex.compile(rf"[{_OTHER_STOPS}]++{_CLOSERS}*+(?=\s++\S)")
# Shorter clauses of Thai and Lao are words of a list, and parts of a name.
_CLAUSE, _NEXT = 24, 6
_THAI = r"[\u0e01-\u0eff]"
_THAI_SPACE = regex.compile(rf"(?<={_THAI})\s++(?={_THAI}{{{_NEXT}}})")

_WORD = regex.compile(r"[^\s(\[“\"'‘«„—-]*$")
# A full stop after these is no end; nor after an initial: a capital letter, or
# a letter of Hebrew or Arabic. (A Korean sentence may be one letter.)
_TITLES = (
  *("Hr", "Hrn", "Frl", "Dipl", "Ing", "bzw", "vgl", "sog", "Mme", "Mlle"),
  *("Sra", "Srta", "Dra", "Sig", "Dott", "проф", "акад", "доц", "им", "ул"),
  *("пл", "тов", "см", "ср", "Проф", "Акад", "Св", "св", "См", "Ср", "κ", "βλ"),
)
_INITIAL = regex.compile(
  r"(?:[\p{Lu}\p{Hebrew}\p{Arabic}]\.)*[\p{Lu}\p{Hebrew}\p{Arabic}]"
)
# Russian ones: place, page, volume, ... But "in the year 1990" and "and so on"
# may end a sentence.
_LETTER = regex.compile("[вгдклмопрстч]")
_MAY_END = regex.compile(r"(?:\d|\b[IVX]+|\b\w\.)\s*$")
_BEFORE_NUMBERS = (
  *("Nr", "Abs", "Abb", "Kap", "Bd", "Str", "Ziff", "núm", "pág", "рис", "Рис"),
  *("стр", "табл", "Табл", "гл", "ст", "вып", "изд", "пп", "илл", "κεφ"),
)
# German's ordinal numbers: "am 3. Mai", "im 19. Jahrhundert".
_DAYS = "am|im|vom|zum|zur|beim|der|des|dem|das|die|bis|seit|Am|Im|Der|Das|Die"
_MONTHS = (
  "Jänner|Januar|Februar|März|April|Mai|Juni|Juli|August|September|Oktober"
  "|November|Dezember"
)
_ORDINAL = regex.compile(rf"\b(?<!\bI )(?:{_DAYS})\s\d\d?$")
_MONTH = regex.compile(rf"\s+(?:{_MONTHS})\b")

# Who said it: 「……？」他問。 「……」と言った。
_SAID = regex.compile(
  r"\s*(?:と|って|なんて|などと|との"
  r"|[^\s\p{P}]{0,10}(?:[说說问問喊叫答嚷吼骂罵嘆叹讲講]|(?<![知味街报報])道)"
  r"[道着著了]?(?:\p{P}|$))"
)
_OPENERS = dict(zip("」』”’）】〕］", "「『“‘（【〔［", strict=True))
_TITLE_CLOSERS = "》〉"
_LOOK = 300  # A quote is not longer.

# Texts without these have the sentences that they had by the older rule.
_NEW_STOPS = regex.compile(
  r"\.(?:(?<=\b(?:"
  rf"{'|'.join((*_TITLES, *_BEFORE_NUMBERS))}|(?:{_DAYS})\s\d\d?)\.)"
  rf"|(?<=\d\.)\s+(?:{_MONTHS})\b)"
)
_NEW_SIGNS = regex.compile(
  rf"[\p{{L}}--\p{{Latin}}]|[{_WIDE_STOPS}{_OTHER_STOPS}၊]|[\p{{Lu}}--[A-Z]]\."
  rf"|[.!?…][\"'”’»)\]]*+(?:[“‘«‹›」』》〉）】］｝〕〗〙〛]|\s++[„‚»‹›«])|……",
  regex.V1,
)


def differs(text: str) -> bool:
  """Returns whether a text may have other sentences than by the rule before."""
  return bool(
    _NEW_STOPS.search(text) or (not text.isascii() and _NEW_SIGNS.search(text))
  )


def goes_on(text: str, start: int, end: int) -> bool:
  """Returns whether a sentence goes on after the full stop at `start`.

  Args:
    start, end: of the full stop and what closes behind it.
  """
  before = text[max(0, start - 24) : start]
  word = _WORD.search(before)[0]
  if text[end : end + 8].lstrip()[:1].isdigit():
    return word in _BEFORE_NUMBERS
  if word in _TITLES or _INITIAL.fullmatch(word):
    return True
  if _LETTER.fullmatch(word):
    return not _MAY_END.search(before[: len(before) - 1])
  if word.isdigit():
    return bool(_ORDINAL.search(before) or _MONTH.match(text, end))
  return before[-1:] != "" and "\u0e01" <= before[-1] <= "\u0eff"


def others(text: str) -> Iterator[int]:
  """Yields the ends of sentences by other marks than Latin's, in any order."""
  if text.isascii():
    return
  for match in _GREEK.finditer(text):
    if not match[1].islower():
      yield match.end()
  yield from (match.end() for match in _OTHER.finditer(text))
  for match in _WIDE.finditer(text):
    if _ends_wide(text, match.start(), match[1], match[2], match.end()):
      yield match.end()
  yield from _clauses(text)


def _ends_wide(
  text: str, start: int, stops: str, closers: str, end: int
) -> bool:
  """Judges stops of Chinese or Japanese, with what closes behind them."""
  if not closers:
    if stops.strip("…"):
      digits = text[start - 1 : start] + text[end : end + 1]
      return stops != "．" or not digits.isdigit()
    # Who stammers goes on.
    return start >= 3 and text[start - 3 : start].isalnum()
  closer = closers[-1]
  if closer in _TITLE_CLOSERS:
    return False
  said = bool(_SAID.match(text, end))
  opener = _OPENERS.get(closer)
  at = text.rfind(opener, max(0, start - _LOOK), start) if opener else -1
  if at < 0:
    return not said
  before = text[max(0, at - 2) : at].strip()[-1:]
  if before in tuple("：:，,"):
    return True  # 他说：“……”
  first = not before or before in _WIDE_STOPS + "!?….”’」』）】"
  if first or closer not in "」』”’":
    return first and not said
  return "。" in stops and not said


def _clauses(text: str) -> Iterator[int]:
  """Yields the ends of long clauses of Thai and Lao."""
  last = 0
  for match in _THAI_SPACE.finditer(text):
    if match.start() - last >= _CLAUSE or "\n" in match[0]:
      last = match.start()
      yield last
