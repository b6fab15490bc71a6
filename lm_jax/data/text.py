"""Splits plain text into paragraphs, sentences, pieces and held-out parts."""

from __future__ import annotations

import hashlib
import itertools
import re
from collections.abc import Iterator
from typing import Literal

from lm_jax.data import sentence_ends

# The rules of `sentence_starts`; the first is the newest.
Rule = Literal["script", "every", "latin"]
SPLITS = ("train", "validation", "test")
# Documents are held out by the first 8 bytes of the hash of their text.
VALIDATION_SHARE, TEST_SHARE = 0.05, 0.05
HASHES = 2**64

_BLANK_LINES = re.compile(r"\n[^\S\n]*\n\s*")

# The end of a sentence: a full stop, question or exclamation mark, what
# closes with it, white space, and something that can open a sentence.
# Every part is taken whole (++), and a run of stops is looked at once: on long
# runs of them the time would otherwise go with the square of their number.
_CANDIDATE = re.compile(
  r"""(?<![.!?…])[.!?…]++["'”’»)\]]*+(?=\s++["'“‘«(\[¿¡—-]*+([^\W_a-z]))"""
)
# Full stops, question and exclamation marks of scripts that put no white space
# behind them; and of those that do, whose letters have no case.
_WIDE = re.compile(r"""[。！？｡．]++["'”’»)\]」』》）】〉]*+(?=\s*+\S)""")
_OTHER = re.compile(r"""[।॥۔؟։።፧។៕၊။᙮᠃]++["'”’»)\]]*+(?=\s++\S)""")
_ONE_STOP = re.compile(r"\.[^.!?…]*")
_LAST_WORD = re.compile(r"[^\s(\[“\"'‘—-]*$")
_TITLES = re.compile(
  "mrs?|ms|messrs|dr|prof|rev|hon|sr|jr|st|mt|ft|gens?|col|lt|lieut|maj|capt|"
  "cmdr|adm|gov|sen|rep|pres|supt|vs|viz|cf",
  re.IGNORECASE,
)
_BEFORE_NUMBERS = re.compile(
  "nos?|vol|art|sec|fig|pp?|jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec",
  re.IGNORECASE,
)
_INITIALS = re.compile(r"(?:[A-Za-z]\.)*[A-Za-z]")


def text_hash(text: str) -> int:
  """Returns 64 bits of the SHA-256 of a text; equal texts, equal hashes."""
  return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")


def held_out(
  value: int,
  validation: float = VALIDATION_SHARE * HASHES,
  test: float = (VALIDATION_SHARE + TEST_SHARE) * HASHES,
) -> str:
  """Returns the split of a text hash: the lowest hashes are held out."""
  if value < validation:
    return "validation"
  return "test" if value < test else "train"


def _ends_sentence(text: str, start: int, end: int, newest: bool) -> bool:
  """Returns whether the stops in text[start:end] end a sentence: see below."""
  if not _ONE_STOP.fullmatch(text, start, end):
    return True
  if newest and sentence_ends.goes_on(text, start, end):
    return False
  match = _LAST_WORD.search(text, max(0, start - 24), start)
  word = match.group() if match else ""
  if text[end : end + 8].lstrip()[:1].isdigit():
    return not _BEFORE_NUMBERS.fullmatch(word)
  # Initials go on too: "J. Adams", "the U.S. Army". That a sentence may end
  # in them ("in the U.S. We") is rarer.
  return not (_TITLES.fullmatch(word) or _INITIALS.fullmatch(word))


def sentence_starts(text: str, rule: Rule = "script") -> list[int]:
  """Finds the starts of sentences, in characters; the first is 0.

  A sentence ends at a paragraph's end (a blank line), and within one after
  `.`, `!`, `?` or an ellipsis with the quotes and brackets that close there,
  where white space and then a capital, a digit or an opening sign follow; not
  after a known abbreviation (Mr., No. 5, ...) nor after initials (U.S., J.).
  It ends after the full stops of Chinese and Japanese with or without white
  space, and after those of the scripts of India, of Arabic, Armenian, ... with
  it; sentence_ends.py has the marks of other languages. The white space between
  two sentences belongs to the second.

  Args:
    rule: "every" and "latin" are older ones. "every": abbreviations, initials
      and closing quotes are English. "latin": besides, stops of other scripts
      end nothing, and a small letter outside ASCII begins a sentence.
  """
  starts = {0}
  starts.update(m.start() for m in _BLANK_LINES.finditer(text))
  newest = rule == "script"
  candidates = sentence_ends.LATIN if newest else _CANDIDATE
  starts.update(
    m.end()
    for m in candidates.finditer(text)
    if not (rule != "latin" and m[1].islower())
    and _ends_sentence(text, m.start(), m.end(), newest)
  )
  if newest:
    starts.update(sentence_ends.others(text))
  if rule == "every" and not text.isascii():
    starts.update(
      m.end() for stops in (_WIDE, _OTHER) for m in stops.finditer(text)
    )
  # The last start must begin a sentence, not white space.
  length = len(text.rstrip())
  return sorted(start for start in starts if start < length or start == 0)


def sentences(text: str) -> list[str]:
  """Splits a text into sentences, without the white space around them."""
  starts = [*sentence_starts(text), len(text)]
  parts = [text[a:b].strip() for a, b in itertools.pairwise(starts)]
  return [sentence for sentence in parts if sentence]


def paragraphs(text: str) -> list[str]:
  """Splits a text at blank lines; each part keeps those after it.

  A text without blank lines is split into lines. Joined, the parts are the
  text.
  """
  cuts = [m.end() for m in _BLANK_LINES.finditer(text) if m.start()]
  if not any(cut < len(text) for cut in cuts):
    return text.splitlines(keepends=True)
  edges = [0, *cuts, len(text)]
  parts = [text[a:b] for a, b in itertools.pairwise(edges)]
  return [paragraph for paragraph in parts if paragraph]


def pieces(text: str, limit: int) -> Iterator[str]:
  """Cuts a text into pieces of at most `limit` characters.

  A piece ends at a blank line where there is one in its second half, else at a
  line, else at a space, else anywhere. Joined, the pieces are the text.
  """
  start = 0
  while len(text) - start > limit:
    end = start + limit
    for sign in ("\n\n", "\n", " "):
      # White space belongs to what follows it, so the cut comes before.
      cut = text.rfind(sign, start + limit // 2, end)
      if cut > start:
        end = cut
        break
    yield text[start:end]
    start = end
  yield text[start:]
