"""Measures repetition within texts and differences between texts, in words."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from lm_jax.data.words import split


def _grams(text: str, n: int) -> list[tuple[str, ...]]:
  words = split(text)
  return list(zip(*(words[i:] for i in range(n)), strict=False))


def repetition(texts: Sequence[str], n: int) -> float:
  """Averages 1 - different n-grams / n-grams over texts; 0 without any.

  >>> repetition(["a b a b a b", "a b c"], 2)
  0.3
  """
  grams_by_text = [_grams(text, n) for text in texts]
  shares = [
    1 - len(set(grams)) / len(grams) if grams else 0 for grams in grams_by_text
  ]
  return float(np.mean(shares))


def distinct(texts: Sequence[str], n: int) -> float:
  """Divides the different n-grams of all texts by the number of words.

  >>> distinct(["a b", "a b"], 1)
  0.5
  """
  grams = set(itertools.chain.from_iterable(_grams(t, n) for t in texts))
  return len(grams) / max(sum(len(split(text)) for text in texts), 1)
