"""Damages English sentences: two words exchanged, one replaced or inflected.

"inflection": singular becomes plural or the other way round, in a verb that
agrees (is, has, does) or a determiner (this) where the sentence has one, else
in a word with both forms in the training text.

These are the pairs of every English run so far, item by item.
"""

from __future__ import annotations

import collections
import itertools
import random
import re
from collections.abc import Callable, Iterator

from lm_jax.data.text import sentences
from lm_jax.examples.attested import AttestedWords

FEWEST_WORDS = 6
REACH = 3  # How far apart the two words of a swap may be.

_WORD = r"[A-Za-z]+(?:['’-][A-Za-z]+)*"
_CLEAN = re.compile(
  rf"[A-Z](?=[a-z' ])[A-Za-z'’-]*(?:[,;:]? {_WORD}| [,;:])* ?[.!?]"
)
_WORDS = re.compile(_WORD)
_AGREEMENT = (
  ("is", "are"),
  ("was", "were"),
  ("has", "have"),
  ("does", "do"),
  ("this", "these"),
)
# Words that look like the singular or plural of an unrelated word.
_UNRELATED = frozenset({"your", "their", "perhap", "thu", "alway", "new"})


def _like(word: str, model: str) -> str:
  """Capitalizes `word` like `model`."""
  return word.capitalize() if model[:1].isupper() else word


def clean_sentences(texts: Iterator[str], max_words: int) -> list[str]:
  """Collects distinct sentences of plain words: no figures, no headings."""
  distinct: dict[str, None] = {}
  for text in texts:
    for sentence in sentences(text):
      plain = " ".join(sentence.split())
      if is_clean(plain, max_words):
        distinct[plain] = None
  return list(distinct)


def is_clean(sentence: str, max_words: int) -> bool:
  """Returns whether a sentence has plain words only, 6 to max_words of them."""
  count = len(_WORDS.findall(sentence))
  fits = FEWEST_WORDS <= count <= max_words
  return fits and bool(_CLEAN.fullmatch(sentence))


class English:
  """Damages sentences in three ways, with words of a text."""

  def __init__(self, texts: Iterator[str], rng: random.Random):
    self._rng = rng
    counts: collections.Counter[str] = collections.Counter()
    for text in texts:
      counts.update(_WORDS.findall(text.lower()))
    self._attested = AttestedWords(counts)
    self._other = self._forms()

  def ways(self) -> dict[str, Callable[[str], str | None]]:
    """Returns the function of each kind: it damages a sentence, or can't."""
    functions = {
      "swap": self.swap,
      "replace": self.replace,
      "inflection": self.inflection,
    }
    return {
      kind: lambda sentence, change=change: _damaged(sentence, change)  # type: ignore[misc]
      for kind, change in functions.items()
    }

  def _forms(self) -> dict[str, str]:
    """Maps each word to its other number, singular or plural."""
    pairs = {}
    for word in self._attested:
      plurals = [word + "s", word + "es"]
      if word.endswith("y"):
        plurals.append(word[:-1] + "ies")
      for plural in plurals:
        if (
          len(word) > 3 and word not in _UNRELATED and plural in self._attested
        ):
          pairs[word], pairs[plural] = plural, word
    return pairs

  def swap(self, words: list[str]) -> list[str] | None:
    """Exchanges two words, neither of them the first."""
    places = [
      (i, j)
      for i, j in itertools.combinations(range(1, len(words)), 2)
      if j - i <= REACH
      and words[i].lower() != words[j].lower()
      # "war and peace" is as good as "peace and war".
      and not {"and", "or"} & set(words[i + 1 : j])
    ]
    if not places:
      return None
    i, j = self._rng.choice(places)
    changed = list(words)
    changed[i], changed[j] = words[j], words[i]
    return changed

  def replace(self, words: list[str]) -> list[str] | None:
    """Replaces one word by another of similar frequency."""
    # Capitalized words are names, except the first.
    places = [
      i
      for i, word in enumerate(words)
      if word.lower() in self._attested and (i == 0 or word.islower())
    ]
    self._rng.shuffle(places)
    for i in places:
      word = words[i].lower()
      near = self._attested.near(word)
      if near:
        new = _like(self._rng.choice(near), words[i])
        return [*words[:i], new, *words[i + 1 :]]
    return None

  def inflection(self, words: list[str]) -> list[str] | None:
    """Changes the number of one word."""
    agreeing = dict(_AGREEMENT) | {b: a for a, b in _AGREEMENT}
    for forms in (agreeing, self._other):
      places = [
        i
        for i, word in enumerate(words)
        if word.lower() in forms and (i == 0 or word.islower())
      ]
      if places:
        i = self._rng.choice(places)
        new = _like(forms[words[i].lower()], words[i])
        return [*words[:i], new, *words[i + 1 :]]
    return None


def _damaged(
  sentence: str, change: Callable[[list[str]], list[str] | None]
) -> str | None:
  """Applies a change of its words to a sentence; None where there is none."""
  words = _WORDS.findall(sentence)
  changed = change(words)
  if not changed or changed == words:
    return None
  new = iter(changed)
  return _WORDS.sub(lambda _: next(new), sentence)
