"""Sentences with a word left out, and words of like frequency."""

from __future__ import annotations

import collections
import random
import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from lm_jax.examples.minimal_pairs import clean_sentences

WORDS = 20  # of a sentence at most
ATTESTED = 5  # times that a word must occur
_WORD = re.compile(r"(?<![\w'’-])[a-z]{4,}(?![\w'’-])")


class Blank(NamedTuple):
  """A sentence with a word left out; `words` has that word and others."""

  before: str
  word: str
  after: str
  words: tuple[str, ...]


def blanks(
  texts: Callable[[str], Iterator[str]], limit: int, choices: int, seed: int
) -> list[Blank]:
  """One of each sentence with a word that others can stand for.

  Args:
    texts: of a split: sentences are of "test", frequencies of "train".
    limit: of sentences.
    choices: words of a blank, the right one among them: next to one another in
      frequency.
    seed: of what is chosen.
  """
  rng = random.Random(seed)
  counts: collections.Counter[str] = collections.Counter()
  for text in texts("train"):
    counts.update(_WORD.findall(text))
  ranked = sorted(
    (w for w, n in counts.items() if n >= ATTESTED),
    key=lambda w: (counts[w], w),
  )
  rank = {word: i for i, word in enumerate(ranked)}
  found: list[Blank] = []
  sentences = clean_sentences(texts("test"), WORDS)
  rng.shuffle(sentences)
  for sentence in sentences:
    matches = _WORD.finditer(sentence)
    places = [match for match in matches if match.group() in rank]
    if len(ranked) < choices or not places:
      continue
    match = rng.choice(places)
    word = match.group()
    first = rank[word] - choices // 2
    first = min(max(first, 0), len(ranked) - choices)
    words = ranked[first : first + choices]
    rng.shuffle(words)
    start, end = match.span()
    found.append(Blank(sentence[:start], word, sentence[end:], tuple(words)))
    if len(found) == limit:
      break
  return found
