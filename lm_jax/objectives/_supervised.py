"""Shares code of objectives that learn from examples: one segment each."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import jax
import jax.numpy as jnp

from lm_jax import layout
from lm_jax.layout import Part
from lm_jax.support.errors import UsageError
from lm_jax.types import Apply, Array, Mask, Problem, Rows, Spec, Stream, Term

# A row has at most one example per SHORTEST tokens.
SHORTEST = 4


def room(length: int) -> int:
  """Returns the most examples in a row of `length` tokens."""
  return max(1, length // SHORTEST)


def require_labels(labels: Sequence[str]) -> None:
  """Raises UsageError unless there are at least two labels."""
  if len(labels) < 2:
    raise UsageError(
      f"--objective.labels={','.join(labels)}: must name two or more"
    )


def read(rows: Rows, spec: Spec) -> tuple[Stream, Stream | None]:
  """Lays the examples out for each architecture: inputs and source.

  An encoder sees both ways, and so does a prefix_decoder, where all is prefix;
  a causal_decoder sees the past; an encoder_decoder reads them in both stacks,
  like BART (Lewis et al. 2020, section 3.1).
  """
  if spec.architecture == "encoder_decoder":
    source = layout.stream(rows.tokens_BxL, rows.segment_BxL, "full")
    part = Part(rows.tokens_BxL, rows.segment_BxL)
    inputs = layout.stream(layout.shift(part, spec), rows.segment_BxL, "causal")
    return inputs, source
  mask: Mask = "causal" if spec.architecture == "causal_decoder" else "full"
  # GPT-2 reads types as tokens (Trunk.types_are_tokens).
  is_encoder = spec.architecture == "encoder"
  stream = layout.stream(
    rows.tokens_BxL,
    rows.segment_BxL,
    mask,
    type_BxT=jnp.clip(rows.sentence_BxL, 0, 1) if is_encoder else None,
  )
  return stream, None


def texts(rows: Rows, *values_BxL: Array) -> Array:
  """Numbers the text of each token in its row, from 1; 0: no text.

  A text begins where the segment, the label or one of `values_BxL` changes; a
  token without a label has no text.

  >>> one = jnp.ones((1, 6), jnp.int32)
  >>> segment = jnp.array([[1, 1, 1, 2, 2, 0]])
  >>> label = jnp.array([[0, 1, -1, 0, 1, -1]])
  >>> texts(Rows(one, segment, one, one, one, label))
  Array([[1, 2, 0, 3, 4, 0]], dtype=int32)
  """
  assert rows.label is not None  # of a supervised objective's rows
  there_BxL = (rows.segment_BxL > 0) & (rows.label >= 0)
  new_BxL = layout.starts(rows.segment_BxL)
  for one_BxL in (rows.label, *values_BxL):
    new_BxL = new_BxL | layout.starts(one_BxL)
  number_BxL = jnp.cumsum(new_BxL & there_BxL, axis=1, dtype=jnp.int32)
  return jnp.where(there_BxL, number_BxL, 0)


def values_at_ends(values_BxL: Array, segment_BxL: Array, count: int) -> Array:
  """Returns the values at the last token of segments 1 to `count`.

  The result is [B, count]; 0 where a row has no such segment.

  >>> segment = jnp.array([[1, 1, 2, 0]])
  >>> values_at_ends(jnp.array([[5, 6, 7, 8]]), segment, 3)
  Array([[6, 7, 0]], dtype=int32)
  """
  last_BxL = segment_BxL != jnp.roll(segment_BxL, -1, axis=1)
  last_BxL = last_BxL.at[:, -1].set(True) & (segment_BxL > 0)
  index_BxL = jnp.where(last_BxL, segment_BxL - 1, count)
  batch = jnp.arange(segment_BxL.shape[0])[:, None]
  out = jnp.zeros((segment_BxL.shape[0], count), values_BxL.dtype)
  return out.at[batch, index_BxL].set(values_BxL, mode="drop")


def values_of_texts(values_BxL: Array | None, segment_BxL: Array) -> Array:
  """Returns values, at least 0, of the texts that a row has room for.

  The result is [B, S], of segments 1 to S; -1: no such segment, or no value.
  """
  assert values_BxL is not None  # of a supervised objective's rows
  count = room(segment_BxL.shape[1])
  return values_at_ends(values_BxL + 1, segment_BxL, count) - 1


def pooled(
  hidden_BxTxD: Array, segment_BxT: Array, how: str, count: int
) -> Array:
  """Pools the states of segments 1 to `count`: [B, count, D].

  Args:
    hidden_BxTxD: last-layer states.
    segment_BxT: of their tokens.
    how: "first", "last" or "mean" state of a segment.
    count: number of segments.
  """
  if how == "mean":
    number = jnp.arange(1, count + 1)
    in_BxSxT = segment_BxT[:, None, :] == number[None, :, None]
    in_BxSxT = in_BxSxT.astype(hidden_BxTxD.dtype)
    sum_BxSxD = jnp.einsum("bst,btd->bsd", in_BxSxT, hidden_BxTxD)
    return sum_BxSxD / jnp.maximum(in_BxSxT.sum(axis=2, keepdims=True), 1)
  at_BxS = places(segment_BxT, how, count)
  return layout.take(hidden_BxTxD, at_BxS)


def places(segment_BxT: Array, how: str, count: int) -> Array:
  """Finds the "first" or "last" token of segments 1 to `count`.

  Returns:
    int32 [B, count]; 0 where a row has no such segment.
  """
  place_BxT = jnp.broadcast_to(
    jnp.arange(segment_BxT.shape[1], dtype=jnp.int32), segment_BxT.shape
  )
  if how == "first":
    place_BxT = place_BxT - layout.positions(segment_BxT)
  return values_at_ends(place_BxT, segment_BxT, count)


def context_problem(rows: Rows, spec: Spec) -> Problem:
  """Makes a problem that reads the examples and predicts no token."""
  inputs, source = read(rows, spec)
  return Problem(inputs, source, rows.tokens_BxL, {})


def text_problem(rows: Rows, spec: Spec) -> Problem:
  """Makes a problem with the position that a head reads of each text.

  Its targets are the labels of the texts, -1 for none: int32 [B, S].
  """
  how = "first" if spec.architecture == "encoder" else "last"
  count = room(rows.tokens_BxL.shape[1])
  return dataclasses.replace(
    context_problem(rows, spec),
    targets_BxP=values_of_texts(rows.label, rows.segment_BxL),
    positions_BxP=places(rows.segment_BxL, how, count),
  )


def text_logits(apply: Apply, head: str, problem: Problem) -> Array:
  """Computes a `text_head` for segments 1 to S of each row: [B, S, C]."""
  hidden_BxTxD = apply.hidden(problem.inputs, problem.source)
  state_BxSxD = layout.take(hidden_BxTxD, problem.positions_BxP)
  batch, count, width = state_BxSxD.shape
  # The head reads one text a row.
  state_Nx1xD = state_BxSxD.reshape(batch * count, 1, width)
  return apply.head(head, state_Nx1xD).reshape(batch, count, -1)


def label_terms(logits: Array, label: Array) -> dict[str, Term]:
  """Computes cross-entropy and accuracy of labels.

  Args:
    logits: [..., C].
    label: int32 [...]; those below 0 must have no weight.
  """
  right = (jnp.argmax(logits, axis=-1) == label).astype(jnp.float32)
  losses = cross_entropy(logits, label)
  return {"nll": Term(losses, metrics={"accuracy": right})}


def cross_entropy(logits: Array, target: Array) -> Array:
  """Computes -log softmax(logits)[target] over the last axis; float32."""
  logp = jax.nn.log_softmax(logits.astype(jnp.float32))
  at = jnp.maximum(target, 0)[..., None]
  return -jnp.take_along_axis(logp, at, axis=-1)[..., 0]
