"""Pairs acceptable with similar unacceptable sentences."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from lm_jax.examples.forms import Example

FARTHEST = 2  # words
_WORDS = re.compile(r"[\w'’]+|[^\w\s]")


class SentencePair(NamedTuple):
  """An acceptable and an unacceptable sentence.

  equal_length: whether they have equally many words.
  """

  good: Example
  bad: Example
  equal_length: bool


def words(text: str) -> list[str]:
  """Splits a text into lower-case words; each punctuation mark is a word.

  >>> words("Don't they?")
  ["don't", 'they', '?']
  """
  return _WORDS.findall(text.lower())


def distance(one: list[str], other: list[str], most: int) -> int:
  """Counts words inserted, deleted or replaced; at most `most` + 1.

  >>> distance("a b c".split(), "a c d".split(), 2)
  2
  """
  above = list(range(len(other) + 1))
  for i, word in enumerate(one, start=1):
    row = [i]
    for j, other_word in enumerate(other, start=1):
      change = above[j - 1] + (word != other_word)
      row.append(min(above[j] + 1, row[-1] + 1, change))
    if min(row) > most:
      return most + 1
    above = row
  return min(above[-1], most + 1)


def nearest(examples: Sequence[Example]) -> list[SentencePair]:
  """Pairs the examples, in the order of the unacceptable ones."""
  texts = [words(example.fields["text"]) for example in examples]
  bad = [i for i, e in enumerate(examples) if e.label == "unacceptable"]
  by_word: dict[str, set[int]] = {}
  for i, example in enumerate(examples):
    if example.label == "acceptable":
      for word in texts[i]:
        by_word.setdefault(word, set()).add(i)
  near = []
  for i in bad:
    shared: dict[int, int] = {}
    for word in set(texts[i]):
      for j in by_word.get(word, ()):
        shared[j] = shared.get(j, 0) + 1
    for j, count in shared.items():
      # Each change takes away one word of a text at most.
      least = max(len(set(texts[i])), len(set(texts[j]))) - count
      if least <= FARTHEST:
        apart = distance(texts[i], texts[j], FARTHEST)
        if 0 < apart <= FARTHEST:
          near.append((apart, abs(i - j), i, j))
  taken: dict[int, int] = {}
  for _, _, i, j in sorted(near):
    if i not in taken and j not in taken.values():
      taken[i] = j
  return [
    SentencePair(examples[j], examples[i], len(texts[i]) == len(texts[j]))
    for i, j in sorted(taken.items())
  ]
