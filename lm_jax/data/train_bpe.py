"""Trains byte-level BPE on characters: no token holds parts of two.

On bytes, merges are spent on the end of one character with the beginning of
the next, where an alphabet shares its first bytes: 8 % fewer bytes a token in
Thai than by characters. So merges come first that make the characters, and
then those that BPE learns on the characters; what is not in the alphabet stays
bytes.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from lm_jax.data import alphabet

# SentencePiece's default (character_coverage).
COVERAGE = 0.9995
Merge = tuple[str, str]


def merges(
  texts: Sequence[str], room: int, words: Any, signs: Sequence[str]
) -> list[Merge] | None:
  """Learns the merges of byte-level BPE, by characters.

  Args:
    texts: to learn from.
    room: number of tokens besides the special ones and the 256 bytes.
    words: the pre-tokenizer.
    signs: the characters that stand for bytes (`vocabulary.byte_signs`).

  Returns:
    The merges, at most `room`; None where the alphabet takes more than half
    of it (Chinese, say), so that bytes serve better.
  """
  import tokenizers
  from tokenizers import models, trainers

  known = alphabet.covering(alphabet.characters(texts), COVERAGE)
  made = list(dict.fromkeys(_spelling(known, signs)))
  if 2 * len(made) > room:
    return None
  tokenizer = tokenizers.Tokenizer(models.BPE())
  tokenizer.pre_tokenizer = words
  trainer = trainers.BpeTrainer(
    vocab_size=len(known) + room - len(made),
    initial_alphabet=known,
    limit_alphabet=len(known),
    show_progress=False,
  )
  tokenizer.train_from_iterator(texts, trainer)
  learnt = json.loads(tokenizer.to_str())["model"]["merges"]
  return made + [(_in_signs(a, signs), _in_signs(b, signs)) for a, b in learnt]


def _in_signs(text: str, signs: Sequence[str]) -> str:
  return "".join(signs[byte] for byte in text.encode())


def _spelling(known: Sequence[str], signs: Sequence[str]) -> list[Merge]:
  """Lists the merges that make characters of bytes, from the first byte on."""
  spelt = [_in_signs(sign, signs) for sign in sorted(known)]
  return [(name[:i], name[i]) for name in spelt for i in range(1, len(name))]


def ids_of(
  specials: Sequence[str], signs: Sequence[str], learnt: Sequence[Merge]
) -> dict[str, int]:
  """Returns the ids of special tokens, bytes and what merges make."""
  made = (first + second for first, second in learnt)
  names = dict.fromkeys([*specials, *signs, *made])
  return {name: i for i, name in enumerate(names)}
