"""A problem laid out for each architecture: in_place() and pair().

`in_place` keeps a row as it is; `pair` sets a context and an answer, one
behind the other in a decoder, or in the two stacks of an encoder-decoder.
"""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp

from lm_jax import visibility
from lm_jax.types import Array, Mask, Problem, Rows, Spec, Stream


@dataclasses.dataclass(frozen=True)
class Part:
  """A context or an answer: int32 tokens and segments [B, n], 0 is absent.

  Tokens of one segment stand together, in the order of the text.
  """

  tokens_BxN: Array
  segment_BxN: Array


def positions(segment_BxT: Array) -> Array:
  """Position of each token in its run of one segment, from 0.

  >>> positions(jnp.array([[1, 1, 2, 2, 2, 0]]))
  Array([[0, 1, 0, 1, 2, 0]], dtype=int32)
  """
  index = jnp.arange(segment_BxT.shape[1], dtype=jnp.int32)[None]
  start = jnp.where(starts(segment_BxT), index, 0)
  return index - jax.lax.cummax(start + 0 * segment_BxT, axis=1)


def starts(segment_BxT: Array) -> Array:
  """Marks the first token of each run of one segment: bool [B, T]."""
  first = jnp.ones_like(segment_BxT[:, :1], dtype=bool)
  return jnp.concatenate(
    [first, segment_BxT[:, 1:] != segment_BxT[:, :-1]], axis=1
  )


def take(values_BxT: Array, positions_BxP: Array) -> Array:
  """values[b, positions[b, p]], for values of two or three dimensions."""
  if values_BxT.ndim == 3:
    positions_BxP = positions_BxP[:, :, None]
  return jnp.take_along_axis(values_BxT, positions_BxP, axis=1)


def compact(keep_BxT: Array, size: int) -> tuple[Array, Array]:
  """Returns the columns of kept tokens, moved to the front in their order.

  Returns int32 [B, size] indices into T and bool [B, size]: is there a token?
  More than `size` kept tokens are cut at the end.

  >>> compact(jnp.array([[False, True, False, True]]), 3)[0][0, :2]
  Array([1, 3], dtype=int32)
  """
  order = jnp.argsort(~keep_BxT, axis=1, stable=True).astype(jnp.int32)
  count = jnp.sum(keep_BxT, axis=1, keepdims=True)
  index = order[:, :size]
  if size > index.shape[1]:
    index = jnp.pad(index, ((0, 0), (0, size - index.shape[1])))
  return index, jnp.arange(size)[None] < count


def stream(
  tokens_BxT: Array,
  segment_BxT: Array,
  mask: Mask,
  rank_BxT: Array | None = None,
  position_BxT: Array | None = None,
  type_BxT: Array | None = None,
) -> Stream:
  """A stream whose ranks follow from the mask, unless they are given.

  Without types it has none.
  """
  if rank_BxT is None:
    if mask == "causal":
      rank_BxT = visibility.causal(segment_BxT)
    else:
      rank_BxT = visibility.bidirectional(segment_BxT)
  if position_BxT is None:
    position_BxT = positions(segment_BxT)
  return Stream(
    tokens_BxT=tokens_BxT,
    position_BxT=position_BxT,
    segment_BxT=segment_BxT,
    query_rank_BxT=rank_BxT,
    key_rank_BxT=rank_BxT,
    type_BxT=type_BxT,
    mask=mask,
  )


def in_place(rows: Rows, spec: Spec, prefix_BxL: Array | None = None) -> Stream:
  """The row itself, seen as the architecture sees a text.

  Args:
    rows: [B, L].
    spec: an encoder sees both ways; decoders see the past.
    prefix_BxL: length of the prefix of each token's segment, for a
      prefix_decoder: that much is seen both ways.
  """
  if spec.architecture == "encoder":
    return stream(rows.tokens_BxL, rows.segment_BxL, "full")
  if spec.architecture == "prefix_decoder" and prefix_BxL is not None:
    position_BxL = positions(rows.segment_BxL)
    rank_BxL = visibility.prefix(position_BxL, prefix_BxL)
    return stream(
      rows.tokens_BxL, rows.segment_BxL, "ranked", rank_BxL, position_BxL
    )
  return stream(rows.tokens_BxL, rows.segment_BxL, "causal")


def shift(answer: Part, spec: Spec) -> Array:
  """Returns what a decoder reads to predict `answer`: int32 [B, A].

  Each segment of the answer starts from the boundary token, or, in a decoder
  that has an encoder, from the token that such start from; all else is the
  answer's own previous token (teacher forcing).
  """
  specials, paired = spec.specials, spec.architecture == "encoder_decoder"
  first = specials.start if paired else specials.boundary
  before = jnp.roll(answer.tokens_BxN, 1, axis=1)
  return jnp.where(starts(answer.segment_BxN), first, before)


def pair(
  context: Part,
  answer: Part,
  spec: Spec,
  length: int | None = None,
) -> Problem:
  """A problem that reads a context [B, S] and predicts an answer [B, A].

  encoder_decoder: the encoder reads the context, the decoder the answer.
  Decoders: both in one stream; in a prefix_decoder the context is seen both
  ways. An answer token sees the context of its own segment only.

  Args:
    context: absent tokens may stand anywhere.
    answer: absent tokens stand at the end.
    length: of a decoder's stream, where S + A is more than a row can need;
      absent tokens are squeezed out to fit.

  Returns:
    A problem with the weights of the term "nll": 1 on the answer's tokens.
  """
  reads_BxA = shift(answer, spec)
  weight_BxA = (answer.segment_BxN > 0).astype(jnp.float32)
  if spec.architecture == "encoder_decoder":
    source = stream(
      context.tokens_BxN,
      context.segment_BxN,
      "full",
      position_BxT=rank_in_segment(context.segment_BxN),
    )
    return Problem(
      inputs=stream(reads_BxA, answer.segment_BxN, "causal"),
      source=source,
      targets_BxP=answer.tokens_BxN,
      weights={"nll": weight_BxA},
    )
  size = context.tokens_BxN.shape[1]
  batch, total = reads_BxA.shape[0], size + reads_BxA.shape[1]
  tokens_BxT = jnp.concatenate([context.tokens_BxN, reads_BxA], axis=1)
  segment_BxT = jnp.concatenate(
    [context.segment_BxN, answer.segment_BxN], axis=1
  )
  position_BxT = _pair_positions(context, answer)
  is_answer = jnp.arange(total) >= size
  rank_BxT = jnp.where(is_answer, jnp.arange(total) - size + 1, 0)
  rank_BxT = jnp.broadcast_to(rank_BxT.astype(jnp.int32), (batch, total))
  predict_BxA = jnp.broadcast_to(
    jnp.arange(size, total, dtype=jnp.int32), reads_BxA.shape
  )
  if length is not None and length < total:
    index, present = compact(segment_BxT > 0, length)
    predict_BxA = jnp.cumsum(segment_BxT > 0, axis=1)[:, size:] - 1
    weight_BxA = weight_BxA * (predict_BxA < length)
    predict_BxA = jnp.clip(predict_BxA, 0, length - 1).astype(jnp.int32)
    tokens_BxT = jnp.where(present, take(tokens_BxT, index), spec.specials.pad)
    segment_BxT = jnp.where(present, take(segment_BxT, index), 0)
    position_BxT = jnp.where(present, take(position_BxT, index), 0)
    rank_BxT = jnp.where(present, take(rank_BxT, index), 0)
  if spec.architecture == "prefix_decoder":
    inputs = stream(tokens_BxT, segment_BxT, "ranked", rank_BxT, position_BxT)
  else:
    inputs = stream(
      tokens_BxT, segment_BxT, "causal", position_BxT=position_BxT
    )
  return Problem(
    inputs=inputs,
    source=None,
    targets_BxP=answer.tokens_BxN,
    weights={"nll": weight_BxA},
    positions_BxP=predict_BxA,
  )


def _pair_positions(context: Part, answer: Part) -> Array:
  """Positions that go on from a segment's context to its answer."""
  position_BxS = rank_in_segment(context.segment_BxN)
  # Context tokens of each segment, counted by segment id; a row of S + A
  # tokens has fewer segments than that.
  size = context.segment_BxN.shape[1] + answer.segment_BxN.shape[1] + 1
  batch = jnp.arange(context.segment_BxN.shape[0])[:, None]
  count = jnp.zeros((batch.shape[0], size), jnp.int32)
  count = count.at[batch, context.segment_BxN].add(1)
  offset = jnp.take_along_axis(count, answer.segment_BxN, axis=1)
  position_BxA = rank_in_segment(answer.segment_BxN) + offset
  position_BxA = jnp.where(answer.segment_BxN > 0, position_BxA, 0)
  return jnp.concatenate([position_BxS, position_BxA], axis=1)


def rank_in_segment(segment_BxT: Array) -> Array:
  """Like `positions`, where absent tokens may stand between others.

  >>> rank_in_segment(jnp.array([[1, 0, 1, 2, 0, 2]]))
  Array([[0, 0, 1, 0, 0, 1]], dtype=int32)
  """
  present = segment_BxT > 0
  order = jnp.cumsum(present, axis=1, dtype=jnp.int32) - 1
  last = jax.lax.cummax(segment_BxT, axis=1)  # segments grow along a row
  first = starts(last)
  start = jax.lax.cummax(jnp.where(first & present, order, -1), axis=1)
  return jnp.where(present, order - start, 0)
