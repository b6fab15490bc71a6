"""Texts of an example to tokens, the special ones around and between them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from lm_jax.data.tokenizer import Tokenizer, separator_ids
from lm_jax.examples.forms import Example
from lm_jax.support.errors import UsageError


class Reading(NamedTuple):
  """Tokens of an example, int32 [n], and which of its texts each is of."""

  tokens: np.ndarray
  text: np.ndarray
  cut: bool


def encode_all(tokenizer: Tokenizer, texts: Sequence[str]) -> list[np.ndarray]:
  """Encodes many texts without special tokens: int32 [T] each."""
  if not texts:
    return []
  flat, counts_N = tokenizer.encoder.encode_flat(texts)
  return np.split(flat.ids, np.cumsum(counts_N)[:-1])


def around(tokenizer: Tokenizer, count: int, end: bool = True) -> int:
  """Counts the special tokens around and between `count` texts."""
  specials = tokenizer.specials
  after = len(specials.after) if end else 0
  return (
    len(specials.before) + after + len(separator_ids(tokenizer)) * (count - 1)
  )


def least(tokenizer: Tokenizer, count: int) -> int:
  """Returns the fewest tokens in which `joined` has room for `count` texts."""
  return around(tokenizer, count) + count


def joined(
  tokenizer: Tokenizer,
  texts: Sequence[np.ndarray],
  length: int,
  end: bool = True,
) -> Reading:
  """Joins texts to one stream, with special tokens around and between.

  Where they are too long, the longest loses tokens at its end, as often as
  need be.

  Args:
    tokenizer: of the model.
    texts: ids of each.
    length: the most tokens.
    end: whether what stands after a text comes.

  Raises:
    UsageError: `length` has no room for a token of each text.
  """
  specials, middle = tokenizer.specials, separator_ids(tokenizer)
  after = specials.after if end else ()
  special = around(tokenizer, len(texts), end)
  room = length - special
  if room < len(texts):
    raise UsageError(
      f"--length={length}: the special tokens of an example take {special}"
    )
  kept = [len(text) for text in texts]
  cut = sum(kept) > room
  while (spare := sum(kept) - room) > 0:
    longest = max(kept)
    second = max((k for k in kept if k < longest), default=0)
    many = kept.count(longest)
    step = max(1, min(longest - second, -(-spare // many)))
    for i, count in enumerate(kept):
      if count == longest and spare > 0:
        less = min(step, spare)
        kept[i] -= less
        spare -= less
  tokens: list[np.ndarray] = [np.array(specials.before, np.int32)]
  text: list[np.ndarray] = [np.zeros(len(specials.before), np.int32)]
  for number, (ids, count) in enumerate(zip(texts, kept, strict=True)):
    last = number + 1 == len(texts)
    behind = np.array(after if last else middle, np.int32)
    tokens += [ids[:count], behind]
    text.append(np.full(count + len(behind), number, np.int32))
  return Reading(
    np.concatenate(tokens).astype(np.int32), np.concatenate(text), cut
  )


def of_examples(
  examples: Sequence[Example], tokenizer: Tokenizer, length: int
) -> list[Reading]:
  """Joins the fields of each example to one stream; see `joined`."""
  if not examples:
    return []
  names = list(examples[0].fields)
  columns = [
    encode_all(tokenizer, [x.fields[name] for x in examples]) for name in names
  ]
  return [
    joined(tokenizer, texts, length) for texts in zip(*columns, strict=True)
  ]
