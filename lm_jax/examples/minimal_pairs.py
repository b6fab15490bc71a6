"""Makes minimal pairs: held-out sentences, each with one thing changed.

"swap": two words at most three apart are exchanged. "replace": a word is
replaced by one of similar frequency in the training text. "inflection":
singular becomes plural or the other way round, in a verb that agrees (is, has,
does) or a determiner (this) where the sentence has one, else in a word with
both forms in the training text.

The changed sentence is worse on average, not always: a noun's other number
may be as good. Chance is 1/2 for every kind.
"""

from __future__ import annotations

import collections
import dataclasses
import itertools
import random
import re
from collections.abc import Callable, Iterator

from lm_jax.data.corpus import Corpus
from lm_jax.data.text import sentences
from lm_jax.data.vocabulary import TRAINING_BYTES, some

FEWEST_WORDS = 6
ATTESTED = 5  # Times that a form must occur in the training text.
REACH = 3  # How far apart the two words of a swap may be.
RATIO = 1.5  # Between the frequencies of a word and its replacement.

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


@dataclasses.dataclass(frozen=True)
class MinimalPair:
  """A real sentence, a damaged one, and the kind of damage.

  kind: "swap", "replace" or "inflection".
  """

  good: str
  bad: str
  kind: str


def _like(word: str, model: str) -> str:
  """Capitalizes `word` like `model`."""
  return word.capitalize() if model[:1].isupper() else word


def clean_sentences(texts: Iterator[str], max_words: int) -> list[str]:
  """Collects distinct sentences of plain words: no figures, no headings."""
  distinct: dict[str, None] = {}
  for text in texts:
    for sentence in sentences(text):
      plain = " ".join(sentence.split())
      count = len(_WORDS.findall(plain))
      if FEWEST_WORDS <= count <= max_words and _CLEAN.fullmatch(plain):
        distinct[plain] = None
  return list(distinct)


class _Damage:
  """Damages sentences in three ways, with words of a text."""

  def __init__(self, texts: Iterator[str], rng: random.Random):
    self._rng = rng
    counts: collections.Counter[str] = collections.Counter()
    for text in texts:
      counts.update(_WORDS.findall(text.lower()))
    self._counts = {w: n for w, n in counts.items() if n >= ATTESTED}
    self._by_count = sorted(self._counts, key=lambda w: (self._counts[w], w))
    self._rank = {word: i for i, word in enumerate(self._by_count)}
    self._other = self._forms()

  def _forms(self) -> dict[str, str]:
    """Maps each word to its other number, singular or plural."""
    pairs = {}
    for word in self._counts:
      plurals = [word + "s", word + "es"]
      if word.endswith("y"):
        plurals.append(word[:-1] + "ies")
      for plural in plurals:
        if len(word) > 3 and word not in _UNRELATED and plural in self._counts:
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
      if word.lower() in self._counts and (i == 0 or word.islower())
    ]
    self._rng.shuffle(places)
    for i in places:
      word = words[i].lower()
      near = [w for w in self._near(word) if w[:4] != word[:4]]
      if near:
        new = _like(self._rng.choice(near), words[i])
        return [*words[:i], new, *words[i + 1 :]]
    return None

  def _near(self, word: str) -> list[str]:
    """The 20 neighbours in frequency, without those that differ too much."""
    rank, count = self._rank[word], self._counts[word]
    around = self._by_count[max(0, rank - 10) : rank + 11]
    return [
      w for w in around if count / RATIO <= self._counts[w] <= count * RATIO
    ]

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


def minimal_pairs(
  corpus: Corpus,
  count: int,
  seed: int,
  max_words: int = 20,
  split: str = "test",
) -> list[MinimalPair]:
  """Makes up to `count` pairs of distinct sentences, equally many of a kind.

  Args:
    max_words: sentences have from 6 words to this many.
    split: source of the sentences; frequencies are of the first 50 MB of the
      training split.

  Returns:
    The pairs, a function of the arguments alone; fewer than `count` where
    sentences run out.
  """
  rng = random.Random(seed)
  held = clean_sentences(
    (document.text for document in corpus.documents(split)), max_words
  )
  rng.shuffle(held)
  train = (document.text for document in corpus.documents("train"))
  damage = _Damage(some(train, TRAINING_BYTES), rng)
  ways: dict[str, Callable[[list[str]], list[str] | None]] = {
    "swap": damage.swap,
    "replace": damage.replace,
    "inflection": damage.inflection,
  }
  made = dict.fromkeys(ways, 0)
  pairs: list[MinimalPair] = []
  for sentence in held:
    if len(pairs) == count:
      break
    words = _WORDS.findall(sentence)
    for kind in sorted(made, key=lambda kind: made[kind]):
      changed = ways[kind](words)
      if changed and changed != words and made[kind] * 3 < count:
        new = iter(changed)
        bad = _WORDS.sub(lambda _, new=new: next(new), sentence)  # type: ignore[misc]
        pairs.append(MinimalPair(sentence, bad, kind))
        made[kind] += 1
        break
  return pairs
