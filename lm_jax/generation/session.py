"""A model that reads a prompt once and then token by token.

All of it is traced inside `jit`: shapes are static, and a text lies in slots
of a cache (lm_jax/models/cache.py). Prompts of a batch stand at the right end
of their slots, so that the next token of every row has the same slot.
"""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from lm_jax.generation.filters import Past
from lm_jax.models import cache as cache_lib
from lm_jax.models.cache import Cache
from lm_jax.types import Array, Stream


class Text(NamedTuple):
  """The tokens of a batch in S slots, read or only chosen.

  tokens_BxS, real_BxS: by slot; whether the slot holds a token.
  length: int32 scalar, slots that are filled.
  """

  tokens_BxS: Array
  real_BxS: Array
  length: Array

  def append(self, token_B: Array, real_B: Array) -> Text:
    """Appends a token to each row, or a gap where it is not real."""
    at = (jnp.int32(0), self.length)
    return Text(
      jax.lax.dynamic_update_slice(self.tokens_BxS, token_B[:, None], at),
      jax.lax.dynamic_update_slice(self.real_BxS, real_B[:, None], at),
      self.length + 1,
    )

  def past(self, chosen: Array, remaining: Array, begin: Array) -> Past:
    """Returns the Past that filters take."""
    return Past(
      self.tokens_BxS, self.real_BxS, self.length, chosen, remaining, begin
    )


@dataclasses.dataclass(frozen=True)
class Reader:
  """A network with its parameters; `stack` "main" reads."""

  network: nn.Module
  params: Any

  def start(
    self, inputs: Stream, source: Stream | None, size: int
  ) -> tuple[Array, Text, Cache]:
    """Reads prompts of T slots in one pass.

    Args:
      inputs: [B, T], the last slot of each row is a token.
      source: of an encoder_decoder.
      size: S, slots in all.

    Returns:
      last-layer states [B, T, D], the text, the cache.
    """
    hidden_BxTxD, cache = cache_lib.prefill(
      self.network, self.params, inputs, source, size
    )
    spare = ((0, 0), (0, size - inputs.tokens_BxT.shape[1]))
    text = Text(
      jnp.pad(inputs.tokens_BxT, spare),
      jnp.pad(inputs.segment_BxT > 0, spare),
      cache.index,
    )
    return hidden_BxTxD, text, cache

  def read(
    self, text: Text, cache: Cache, count: int = 1
  ) -> tuple[Array, Cache]:
    """Reads the last `count` tokens of the text: states [B, count, D]."""
    batch, size = text.tokens_BxS.shape
    first = text.length - count
    at = (jnp.int32(0), first)
    shape = (batch, count)
    tokens_BxT = jax.lax.dynamic_slice(text.tokens_BxS, at, shape)
    filled = jnp.arange(size)[None] < first
    before_B = jnp.sum(text.real_BxS & filled, axis=1, dtype=jnp.int32)
    offset = jnp.arange(count, dtype=jnp.int32)[None]
    rank_BxT = jnp.broadcast_to(first + offset, shape)
    inputs = Stream(
      tokens_BxT=tokens_BxT,
      position_BxT=before_B[:, None] + offset,
      segment_BxT=jnp.ones(shape, jnp.int32),
      query_rank_BxT=rank_BxT,
      key_rank_BxT=rank_BxT,
      mask=cache.slots.mask,
    )
    return cache_lib.read(self.network, self.params, inputs, cache)

  def logits(self, hidden_BxD: Array) -> Array:
    """Returns logits over the vocabulary, float32 [B, V]."""

    def head(net):
      return net.head("vocabulary", hidden_BxD[:, None])[:, 0]

    return nn.apply(head, self.network)({"params": self.params})


def repeated(tree: Any, count: int, times: int) -> Any:
  """Repeats each of `count` rows `times` times, side by side; not scalars."""
  if times == 1:
    return tree
  return rows(tree, count, jnp.repeat(jnp.arange(count), times))


def rows(tree: Any, count: int, index_N: Array) -> Any:
  """Takes rows of all arrays by number; scalars stay.

  count: number of rows. An array may have several entries for each, as
    those of a cache have.
  """

  def take(x: Array) -> Array:
    if not jnp.ndim(x):
      return x
    by_row = x.reshape(count, -1, *x.shape[1:])
    return by_row[index_N].reshape(-1, *x.shape[1:])

  return jax.tree.map(take, tree)


def put_logs(
  logs_RxS: Array, slot: Array, log_R: Array, real_R: Array
) -> Array:
  """Writes the token's log-probability into a slot, 0 where it is not real."""
  log_Rx1 = jnp.where(real_R, log_R, 0.0)[:, None]
  return jax.lax.dynamic_update_slice(logs_RxS, log_Rx1, (jnp.int32(0), slot))


def ended(token: Array, ends: tuple[int, ...]) -> Array:
  """Returns whether each token ends a text: bool, of its shape."""
  is_end = jnp.zeros(token.shape, bool)
  for end in ends:
    is_end = is_end | (token == end)
  return is_end
