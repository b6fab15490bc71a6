"""The normalization of sentencepiece as sentencepiece itself runs it.

A compiled normalization replaces strings, the longest first. The `tokenizers`
library looks up letters and clusters, and loses the marks after a string that
it finds. So strings of several letters, all of them compositions, are left to
NFKC, which is kept from composing or ordering what the table does not.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Any

import numpy as np

from lm_jax.hugging_face.tokenizers.pieces import Pieces
from lm_jax.hugging_face.tokenizers.pipelines import SPACE

# The combining marks of most alphabets, whether they compose or not.
_MARKS = [chr(i) for i in range(0x300, 0x370)]
# No characters: they stand for others, and the first one for a border over
# which NFKC must not compose.
_BORDER, *_NO_LETTERS = (chr(i) for i in range(0xFDD0, 0xFDF0))

# How many nodes of a trie are followed at once, and how many keys it may have:
# those of sentencepiece have a quarter of a million.
_AT_ONCE, _MOST = 4096, 2**21


def like_sentencepiece(tokenizer: Any, model: Pieces) -> None:
  """Gives a tokenizer the normalizer of a sentencepiece model."""
  import tokenizers
  from tokenizers import decoders, normalizers, pre_tokenizers

  steps: list[Any] = []
  if model.charsmap:
    keys = set(_keys(model.charsmap))
    several = [key for key in keys if len(key) > 1]
    kept = _kept(keys) if several else []
    steps = [
      *(normalizers.Replace(*pair) for pair in kept),
      *(
        normalizers.Replace(tokenizers.Regex(lonely), _BORDER + mark)
        for mark, lonely in _uncomposed(several)
      ),
      *([normalizers.NFKC()] if several else []),
      normalizers.Precompiled(model.charsmap),
      normalizers.Replace(_BORDER, ""),
      *(normalizers.Replace(new, old) for old, new in kept),
    ]
  if model.spec.remove_extra_whitespaces:
    steps += [
      normalizers.Replace(tokenizers.Regex("^ +| +$"), ""),
      normalizers.Replace(tokenizers.Regex(" {2,}"), " "),
    ]
  if model.spec.add_dummy_prefix:
    steps.append(normalizers.Prepend(SPACE))
  tokenizer.normalizer = normalizers.Sequence(steps)
  tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(
    replacement=SPACE,
    prepend_scheme="never",
    split=all(SPACE not in piece[1:] for piece, _ in model.vocabulary),
  )
  tokenizer.decoder = decoders.Metaspace(
    replacement=SPACE,
    prepend_scheme="always" if model.spec.add_dummy_prefix else "never",
  )


def _keys(charsmap: bytes) -> list[str]:
  """The strings that a compiled normalization replaces.

  They are the paths of a double-array trie (darts-clone), which follows four
  bytes of its size: bit 8 of a unit tells that a string ends, the low byte and
  the highest bit its label, and the rest where its children are.
  """
  size = int.from_bytes(charsmap[:4], "little")
  units = np.frombuffer(charsmap[4 : 4 + size], "<u4").astype(np.int64)
  offset = (units >> 10) << ((units & 512) >> 6)
  label = units & (0x80000000 | 0xFF)
  letters = np.arange(1, 256)
  todo: list[tuple[int, bytes]] = [(0, b"")]
  keys: list[bytes] = []
  while todo:
    some, todo = todo[-_AT_ONCE:], todo[:-_AT_ONCE]
    nodes = np.array([node for node, _ in some])
    children = (nodes ^ offset[nodes])[:, None] ^ letters
    there = children < units.size
    there &= label[np.where(there, children, 0)] == letters
    parents, columns = np.nonzero(there)
    nodes = children[parents, columns]
    paths = [
      some[i][1] + bytes([j + 1])
      for i, j in zip(parents.tolist(), columns.tolist(), strict=True)
    ]
    ends = (units[nodes] >> 8 & 1).tolist()
    keys += [path for path, end in zip(paths, ends, strict=True) if end]
    todo += zip(nodes.tolist(), paths, strict=True)
    if len(keys) + len(todo) > _MOST or max(map(len, paths), default=0) > 99:
      raise ValueError("its compiled normalization is no trie")
  return [path.decode("utf-8", "replace") for path in keys]


def _kept(keys: set[str]) -> list[tuple[str, str]]:
  """Letters that NFKC would change and the table does not, and stand-ins."""
  letters = [chr(i) for i in range(0x20000)]
  changed = (x for x in letters if unicodedata.normalize("NFKC", x) != x)
  kept = (x for x in changed if x not in keys)
  return list(zip(kept, _NO_LETTERS, strict=False))  # the first 31 of them


def _uncomposed(keys: list[str]) -> list[tuple[str, str]]:
  """Marks, with a pattern of each for where no key joins it to the left."""
  before: dict[str, set[str]] = {mark: set() for mark in _MARKS}
  for key in keys:
    for i, letter in enumerate(key[1:], 1):
      if unicodedata.category(letter).startswith("M"):
        before.setdefault(letter, set()).add(key[:i])
  patterns = []
  for mark, texts in before.items():
    single = "".join(re.escape(text) for text in texts if len(text) == 1)
    longer = [re.escape(text) for text in texts if len(text) > 1]
    behind = "|".join([f"[{single}]", *longer] if single else longer)
    patterns.append((mark, f"(?<!{behind}){mark}" if behind else mark))
  return patterns
