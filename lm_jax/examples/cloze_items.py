"""Makes cloze items: sentences with a word left out and words to choose."""

from __future__ import annotations

import collections
import functools
import random
import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from lm_jax.data import words as words_lib
from lm_jax.data.vocabulary import some
from lm_jax.data.words import Span
from lm_jax.examples import letters
from lm_jax.examples.english_pairs import clean_sentences
from lm_jax.examples.script_pairs import UNSPACED, units

WORDS = 20  # of a sentence at most
ATTESTED = 5  # times that a word must occur
_WORD = re.compile(r"(?<![\w'’-])[a-z]{4,}(?![\w'’-])")
# Held-out text that tells the script, and text that frequencies are of, where
# it is not English.
_JUDGED_BYTES, _COUNTED_BYTES = 32 * 2**20, 10 * 2**20
# Letters of a word that is left out: function words are shorter.
_SHORTEST, _SHORTEST_UNSPACED = 4, 2


class ClozeItem(NamedTuple):
  """A sentence with a word left out; `words` has that word and distractors."""

  before: str
  word: str
  after: str
  words: tuple[str, ...]


def make_items(
  texts: Callable[[str], Iterator[str]], limit: int, choices: int, seed: int
) -> list[ClozeItem]:
  """Makes at most one item per sentence, for a word with enough alternatives.

  Args:
    texts: returns the texts of a split: sentences come from "test",
      frequencies from "train".
    limit: most sentences.
    choices: number of words of an item, the right one included; they are
      neighbours in frequency.
    seed: of all random choices.
  """
  rng = random.Random(seed)
  judged = list(some(texts("test"), _JUDGED_BYTES))
  scripts = letters.with_japanese(letters.letters(judged))
  main = max(scripts, key=lambda name: scripts[name], default=letters.LATIN)
  train, find = texts("train"), _english
  if main == letters.LATIN and letters.is_english(judged):
    sentences = clean_sentences(texts("test"), WORDS)
  else:
    train = some(train, _COUNTED_BYTES)
    find = functools.partial(_of_script, script=main)
    distinct = dict.fromkeys(
      sentence for text in texts("test") for sentence in units(text, WORDS)
    )
    sentences = list(distinct)
  counts: collections.Counter[str] = collections.Counter()
  for text in train:
    counts.update(text[a:b] for a, b in find(text))
  ranked = sorted(
    (w for w, n in counts.items() if n >= ATTESTED),
    key=lambda w: (counts[w], w),
  )
  rank = {word: i for i, word in enumerate(ranked)}
  items: list[ClozeItem] = []
  rng.shuffle(sentences)
  for sentence in sentences:
    places = [(a, b) for a, b in find(sentence) if sentence[a:b] in rank]
    if len(ranked) < choices or not places:
      continue
    start, end = rng.choice(places)
    word = sentence[start:end]
    first = rank[word] - choices // 2
    first = min(max(first, 0), len(ranked) - choices)
    words = ranked[first : first + choices]
    rng.shuffle(words)
    items.append(
      ClozeItem(sentence[:start], word, sentence[end:], tuple(words))
    )
    if len(items) == limit:
      break
  return items


def _english(text: str) -> list[Span]:
  """Finds the words that may be left out, in small letters."""
  return [match.span() for match in _WORD.finditer(text)]


def _of_script(text: str, script: str) -> list[Span]:
  """Finds the words of a script that may be left out.

  In capitals, they would be names; a single character is a word only where
  nothing is installed that finds longer ones.
  """
  own = {script, letters.HAN} if script == letters.JAPANESE else {script}
  spans = [
    (a, b)
    for a, b in words_lib.spans(text)
    if letters.main_script(text[a:b]) in own and text[a:b] == text[a:b].lower()
  ]
  least = _SHORTEST_UNSPACED if script in UNSPACED else _SHORTEST
  long = [(a, b) for a, b in spans if b - a >= least]
  return long if long or script not in UNSPACED else spans
