"""Damages sentences of any script: two words exchanged, or one replaced.

No rules of a language are needed; which words there are is decided by
lm_jax/data/words.py.
"""

from __future__ import annotations

import collections
import itertools
import random
import unicodedata
from collections.abc import Callable, Iterable, Iterator

from lm_jax.data import words as words_lib
from lm_jax.data.text import sentences
from lm_jax.data.words import Span
from lm_jax.examples.attested import AttestedWords
from lm_jax.examples.cohesion import Words
from lm_jax.examples.english_pairs import FEWEST_WORDS, REACH
from lm_jax.examples.letters import HAN, JAPANESE, script_of

# Scripts whose words no spaces part.
UNSPACED = frozenset(
  (HAN, JAPANESE, "Kana", "Thai", "Lao", "Khmer", "Myanmar", "Tibetan")
)
# Of these, alphabets, whose letters do not tell the words by cohering.
ALPHABETS = frozenset(("Thai", "Lao", "Khmer", "Myanmar", "Tibetan"))
# More words than an English sentence may have, times: compounds and cases
# make others longer or shorter, and there are fewer sentences to choose from.
_LONGER = 5 / 3
_STOPS = frozenset(".!?…。！？।॥؟۔։።︒")
# Where a long sentence without spaces may be parted, and what stands there.
_PAUSES = frozenset("，；：、､")
_LISTS = frozenset("、､")  # in Chinese; in Japanese they part clauses, too
_PUNCTUATION = (
  _STOPS | _PAUSES | frozenset(",;:'’·،؛׳״՝፣፤–—-~～") | {"\u200c", "\u200d"}
)
# Words after which, and before which, two words change places without harm.
_JOINING_TEXT = (
  "and or und oder et ou y o e i и или та або 和 與 与 及 或 跟 同 ve veya và"
  " hoặc और या و أو או και ή และ หรือ と や か dan atau og eller och en of"
  " 그리고 또는"
)
_JOINING = frozenset(_JOINING_TEXT.split())


def units(text: str, max_words: int, stops: bool = True) -> Iterator[str]:
  """Yields sentences that are short enough, without quotes or brackets.

  A sentence of a script without spaces that is longer is parted at its commas;
  a text without stops, of Thai, at its spaces.

  Args:
    max_words: of an English sentence; others may have two thirds more, and
      where each character is a word, twice that.
    stops: whether a sentence has to end with one: else it may be a heading.
      False also parts the text at its lines.
  """
  most = int(max_words * _LONGER)
  lines = [text] if stops else text.splitlines()
  for sentence in itertools.chain.from_iterable(map(sentences, lines)):
    plain = " ".join(sentence.split())
    unspaced = words_lib.unspaced([plain])
    for part in _parts(plain, most) if unspaced else [plain]:
      ends = unspaced or not stops or part[-1:] in _STOPS
      if part and ends and _is_plain(part) and _fits(part, most):
        yield part


def _fits(sentence: str, most: int) -> bool:
  """Returns whether the words are neither too few nor too many."""
  cased = sentence[0].lower() != sentence[0].upper()
  if cased and sentence[0].islower():
    return False
  count, most = _size(sentence, most)
  return FEWEST_WORDS <= count <= most


def _size(sentence: str, most: int) -> tuple[int, int]:
  """Counts words; returns most, too: more of them if they are characters."""
  spans = words_lib.spans(sentence)
  alone = all(
    b - a == 1 for a, b in spans if words_lib.is_unspaced(sentence[a])
  )
  doubled = alone and words_lib.unspaced([sentence])
  return len(spans), 2 * most if doubled else most


def _parts(sentence: str, most: int) -> Iterator[str]:
  """Yields a sentence of a script without spaces, or runs of its clauses."""
  ends = _PAUSES
  if not any(script_of(sign) == "Kana" for sign in sentence):
    ends = _PAUSES - _LISTS
  if not any(sign in ends or sign in _STOPS for sign in sentence):
    ends |= {" "}
  run = clause = ""
  for sign in sentence:
    clause += sign
    if sign in ends:
      run, done = _joined(run, clause, most)
      yield from done
      clause = ""
  run, done = _joined(run, clause, most)
  yield from filter(None, [*done, run.strip()])


def _joined(run: str, clause: str, most: int) -> tuple[str, list[str]]:
  """Adds a clause to a run of them; a run that is full is done."""
  count, most = _size(run + clause, most)
  if run and count > most:
    return clause, [run.strip()]
  return run + clause, []


def _is_plain(text: str) -> bool:
  """Returns whether there are only words, figures, commas and stops."""
  return all(
    sign in _PUNCTUATION
    or sign == " "
    or unicodedata.category(sign)[0] in "LMN"
    for sign in text
  )


def spliced(text: str, changes: Iterable[tuple[Span, str]]) -> str:
  """Replaces pieces of a text, each [start, end), by others."""
  parts, end = [], 0
  for (a, b), new in sorted(changes):
    parts += [text[end:a], new]
    end = b
  return "".join(parts) + text[end:]


class AnyScript:
  """Damages sentences of a script with words of a text."""

  def __init__(
    self, texts: Iterable[str], script: str, rng: random.Random, words: Words
  ):
    self._rng, self._script, self._words = rng, script, words
    counts: collections.Counter[str] = collections.Counter()
    for text in texts:
      in_text = (text[a:b] for a, b in self._words.spans(text))
      counts.update(word.lower() for word in in_text if self._is_own(word))
    self._attested = AttestedWords(counts)

  def ways(self) -> dict[str, Callable[[str], str | None]]:
    """Returns the function of each kind: it damages a sentence, or can't."""
    return {"swap": self.swap, "replace": self.replace}

  def _is_own(self, word: str) -> bool:
    """Returns whether a word is of the script, and no figure."""
    script = script_of(word[0])
    return script == self._script or (
      self._script == JAPANESE and script in (HAN, "Kana")
    )

  def swap(self, sentence: str) -> str | None:
    """Exchanges two words, neither of them the first."""
    spans = self._words.spans(sentence)
    words = [sentence[a:b] for a, b in spans]
    places = [
      (i, j)
      for i, j in itertools.combinations(range(1, len(words)), 2)
      if j - i <= REACH
      and words[i].lower() != words[j].lower()
      and self._is_own(words[i])
      and self._is_own(words[j])
      # "war and peace" is as good as "peace and war".
      and not self._is_list(sentence, spans, i, j)
    ]
    if not places:
      return None
    i, j = self._rng.choice(places)
    return spliced(sentence, [(spans[i], words[j]), (spans[j], words[i])])

  def _is_list(self, sentence: str, spans: list[Span], i: int, j: int) -> bool:
    between = {sentence[a:b].lower() for a, b in spans[i + 1 : j]}
    gaps = sentence[spans[i][1] : spans[j][0]]
    return bool(between & _JOINING) or "、" in gaps

  def replace(self, sentence: str) -> str | None:
    """Replaces one word by another of similar frequency."""
    spans = self._words.spans(sentence)
    # Capitalized words are names, except the first.
    places = [
      span
      for i, span in enumerate(spans)
      if (word := sentence[slice(*span)]).lower() in self._attested
      and (i == 0 or not word[0].isupper())
    ]
    self._rng.shuffle(places)
    for span in places:
      old = sentence[slice(*span)]
      near = self._attested.near(old.lower())
      if near:
        new = self._rng.choice(near)
        new = new.capitalize() if old[0].isupper() else new
        return spliced(sentence, [(span, new)])
    return None
