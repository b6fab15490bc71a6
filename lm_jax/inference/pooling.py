"""States that a head reads: each token's, or one for a text."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from lm_jax.support.errors import UsageError
from lm_jax.types import Apply, Array, Head, Stream


def pooled(
  hidden_BxTxD: Array, stream: Stream, how: str, end: int = -1
) -> Array:
  """States of one text a row, [B, 1, D].

  Args:
    hidden_BxTxD: last-layer states of the stream.
    stream: padding has segment 0, on either side.
    how: `lm_jax.types.Head.pool`: "first", "last", "mean" of all tokens, or
      the last of the tokens that "end" (BART).
    end: the id of those.
  """
  there_BxT = stream.segment_BxT > 0
  if how == "mean":
    weight_BxTx1 = there_BxT[:, :, None].astype(hidden_BxTxD.dtype)
    sum_Bx1xD = jnp.sum(hidden_BxTxD * weight_BxTx1, axis=1, keepdims=True)
    return sum_Bx1xD / jnp.maximum(jnp.sum(weight_BxTx1, 1, keepdims=True), 1)
  if how == "end":
    there_BxT = there_BxT & (stream.tokens_BxT == end)
  index_T = jnp.arange(there_BxT.shape[1])
  if how == "first":
    at_B = jnp.argmax(there_BxT, axis=1)
  else:
    at_B = jnp.argmax(jnp.where(there_BxT, index_T[None], -1), axis=1)
  return jnp.take_along_axis(hidden_BxTxD, at_B[:, None, None], axis=1)


def hidden(
  apply: Apply,
  inputs: Stream,
  source: Stream | None,
  past: tuple[Array, ...] = (),
) -> Array:
  """Last-layer states, [B, T, D], perhaps with a memory [B, M, D] a layer."""
  # Only XLNet's networks know one.
  memory: Any = {"past": past} if past else {}
  return apply.hidden(inputs, source, **memory)


def logits(
  apply: Apply,
  inputs: Stream,
  source: Stream | None,
  name: str,
  head: Head | None,
  end: int = -1,
  past: tuple[Array, ...] = (),
) -> Array:
  """The logits of a head, or of the vocabulary, of whole streams.

  Args:
    apply: the network.
    inputs, source: what it reads.
    name: of the head; "vocabulary" has no Head.
    head: what the head reads.
    end: the token that ends a text, for a head that reads its last one.
    past: XLNet's memory, one [B, M, D] for each layer.

  Returns:
    float32 [B, T, size], or [B, size] of a head that reads a text.
  """
  hidden_BxTxD = hidden(apply, inputs, source, past)
  if head is not None and head.pool != "none":
    read = inputs
    if source is not None and head.pool == "end":
      # The decoder reads the source again, shifted by one: where the text
      # ends is told by the source (BART, T5).
      read = source
      if read.tokens_BxT.shape != inputs.tokens_BxT.shape:
        raise UsageError(
          f"the decoder of the head {name} must read as many tokens as the "
          f"encoder: {inputs.tokens_BxT.shape[1]} are not "
          f"{read.tokens_BxT.shape[1]}"
        )
    hidden_BxTxD = pooled(hidden_BxTxD, read, head.pool, end)
  return apply.head(name, hidden_BxTxD)
