"""Makes cloze items: sentences with a word left out and words to choose."""

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
  counts: collections.Counter[str] = collections.Counter()
  for text in texts("train"):
    counts.update(_WORD.findall(text))
  ranked = sorted(
    (w for w, n in counts.items() if n >= ATTESTED),
    key=lambda w: (counts[w], w),
  )
  rank = {word: i for i, word in enumerate(ranked)}
  items: list[ClozeItem] = []
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
    items.append(
      ClozeItem(sentence[:start], word, sentence[end:], tuple(words))
    )
    if len(items) == limit:
      break
  return items
