"""Numbers the words of tokens, by the rules that a run has; no jax.

A run that began under older rules goes on with them.
"""

from __future__ import annotations

import itertools
from typing import Any, NamedTuple

import numpy as np

from lm_jax.data import words
from lm_jax.data.options import DataOptions
from lm_jax.data.text import Rule

_SPACES = frozenset(c for c in map(chr, range(0x3001)) if c.isspace())


class Rules(NamedTuple):
  """Rules for words and sentences.

  by_script: whether `words.spans` finds words that tokenizers do not, else all
    words are the tokenizer's own.
  sentences: the rule of `text.sentence_starts`.
  """

  by_script: bool = True
  sentences: Rule = "script"


NEWEST = Rules()


def rules(options: DataOptions) -> Rules:
  """Returns the rules that options name."""
  by_script = options.segmentation != "english"
  if options.sentence_ends == "latin":
    return Rules(by_script, "latin")
  return Rules(by_script, "script" if by_script else "every")


def number(text: str, encoding: Any, by_script: bool) -> np.ndarray:
  """Numbers the words of a text's tokens, from 0: int32 [T].

  Words are the tokenizer's: what it parts before it looks for tokens. With
  `by_script`, words without spaces around them, and those with marks, are where
  `words.missed_spans` finds them; a token belongs to the word that its first
  character is in.

  Args:
    text: as it was encoded.
    encoding: of the tokenizers library; offsets are characters of the text.
  """
  own_T = np.array(encoding.word_ids, np.int32)
  spans = words.missed_spans(text) if by_script and own_T.size else []
  if not spans:
    return own_T
  first_T, last_T = _offsets(text, encoding)
  blank = np.fromiter((c in _SPACES for c in text), bool, len(text))
  # The place of each character, or of the next one that is not white space.
  place = np.where(blank, len(text), np.arange(len(text)))
  place = np.append(np.minimum.accumulate(place[::-1])[::-1], len(text))
  first_T = np.minimum(place[first_T], np.maximum(last_T, first_T))
  starts_W, ends_W = np.array(spans, np.int64).T
  cuts = np.union1d(starts_W, ends_W)
  part_T = np.searchsorted(cuts, first_T, side="right")
  at_T = np.searchsorted(starts_W, first_T, side="left") - 1
  inside_T = (at_T >= 0) & (first_T < ends_W[at_T])
  new_T = (np.diff(own_T) != 0) & ~inside_T[1:]
  new_T |= np.diff(part_T) != 0
  return np.concatenate([[0], np.cumsum(new_T)]).astype(np.int32)


def _offsets(text: str, encoding: Any) -> tuple[np.ndarray, np.ndarray]:
  """Returns the first character of each token, and its end: int64 [T].

  Unigram reports all bytes of neighbouring unknown characters as if each stood
  for all of these characters; here each byte has its own one.
  """
  offsets_T2 = np.array(encoding.offsets, np.int64)
  first_T, last_T = offsets_T2.T.copy()
  new_T = np.any(np.diff(offsets_T2, axis=0) != 0, axis=1)
  cuts = [0, *(np.flatnonzero(new_T) + 1), len(first_T)]
  for start, end in itertools.pairwise(cuts):
    a, b = offsets_T2[start]
    if end - start == 1 or b - a <= 1:
      continue
    sizes = [len(sign.encode()) for sign in text[a:b]]
    if sum(sizes) == end - start:
      first_T[start:end] = np.repeat(np.arange(a, b), sizes)
      last_T[start:end] = first_T[start:end] + 1
  return first_T, last_T
