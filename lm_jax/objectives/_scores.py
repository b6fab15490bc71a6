"""Scores of texts: log-likelihoods of models that read in each direction."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from lm_jax import layout
from lm_jax.layout import Part
from lm_jax.objectives.base import eligible, next_token, opening
from lm_jax.types import Apply, Array, Rows, Spec


def left_to_right_score(apply: Apply, rows: Rows, spec: Spec) -> Array:
  """Computes the exact log-likelihood log p(x_i | x_<i), [B, L].

  The first token of a text without a boundary before it scores 0: nothing
  predicts it.
  """
  target_BxL, _ = next_token(rows, spec)
  inputs = layout.stream(rows.tokens_BxL, rows.segment_BxL, "causal")
  hidden_BxLxD = apply.hidden(inputs)
  score_BxL = -apply.nll(hidden_BxLxD, target_BxL)
  score_BxL = jnp.roll(score_BxL, 1, axis=1)
  scored_BxL = eligible(rows, spec) & ~layout.starts(rows.segment_BxL)
  return jnp.where(scored_BxL, score_BxL, 0.0)


def whole_text_score(apply: Apply, rows: Rows, spec: Spec, first: int) -> Array:
  """Computes the exact log-likelihood after a context of one token: [B, L].

  The context is `first`, which replaces the boundary token if there is one; the
  text is the answer of `layout.pair`.
  """
  length = rows.tokens_BxL.shape[1]
  starts_BxL = layout.starts(rows.segment_BxL)
  context = Part(
    jnp.full_like(rows.tokens_BxL, first),
    jnp.where(starts_BxL, rows.segment_BxL, 0),
  )
  text_BxL = (rows.segment_BxL > 0) & ~opening(rows, spec)
  index, there = layout.compact(text_BxL, length)
  answer = Part(
    jnp.where(there, layout.take(rows.tokens_BxL, index), spec.specials.pad),
    jnp.where(there, layout.take(rows.segment_BxL, index), 0),
  )
  problem = layout.pair(context, answer, spec, length=length + 1)
  hidden_BxTxD = apply.hidden(problem.inputs, problem.source)
  score_BxP = -apply.nll(
    hidden_BxTxD, problem.targets_BxP, problem.positions_BxP
  )
  batch = jnp.arange(rows.tokens_BxL.shape[0])[:, None]
  index = jnp.where(there, index, length)
  score_BxL = jnp.zeros(rows.tokens_BxL.shape, jnp.float32)
  score_BxL = score_BxL.at[batch, index].set(score_BxP, mode="drop")
  return jnp.where(eligible(rows, spec), score_BxL, 0.0)


# The help line of the option; see `hidden_at`.
PSEUDO_LIKELIHOOD = (
  "tokens hidden for a score; within_word: also the rest of the word to the"
  " right; original: only the scored token"
)


def hidden_at(i: Array, rows: Rows, within_word: bool) -> Array:
  """Mask of the tokens hidden to score token i of each row: bool [B, L].

  within_word: hide the tokens of the same word to the right of i, too.
  """
  index = jnp.arange(rows.tokens_BxL.shape[1])[None]
  at_BxL = jnp.broadcast_to(index == i, rows.tokens_BxL.shape)
  if not within_word:
    return at_BxL
  same_BxL = rows.word_BxL == rows.word_BxL[:, i][:, None]
  return at_BxL | (same_BxL & (index > i))


def one_at_a_time(score_one, rows: Rows, spec: Spec) -> Array:
  """Scores each position in a separate pass: float32 [B, L].

  Positions where no row has a token to score take no pass. So an answer takes
  as many passes as it has tokens, if the answers of all rows are at the same
  positions.

  Args:
    score_one: takes a position (int32 scalar), returns float32 [B].
  """
  batch, length = rows.tokens_BxL.shape
  scored_BxL = eligible(rows, spec)

  def score(i):
    return jax.lax.cond(
      jnp.any(scored_BxL[:, i]),
      score_one,
      lambda _: jnp.zeros(batch, jnp.float32),
      i,
    )

  score_LxB = jax.lax.map(score, jnp.arange(length))
  return jnp.where(scored_BxL, score_LxB.T, 0.0)


def infilling_score(
  apply: Apply, rows: Rows, spec: Spec, hole: int, answer_of
) -> Array:
  """Computes log p(x_i | the text with a hole at i): float32 [B, L].

  Args:
    apply, rows, spec: the network, and one text per row.
    hole: the token that replaces x_i in the context.
    answer_of: takes i; returns the answer as a Part [B, A], and the index of
      x_i in it, int32 [B, 1] or a number.
  """
  segment_BxL = jnp.where(opening(rows, spec), 0, rows.segment_BxL)

  def score_one(i):
    at_i = jnp.arange(rows.tokens_BxL.shape[1])[None] == i
    context = Part(jnp.where(at_i, hole, rows.tokens_BxL), segment_BxL)
    answer, index = answer_of(i)
    problem = layout.pair(context, answer, spec)
    hidden_BxTxD = apply.hidden(problem.inputs, problem.source)
    index_Bx1 = jnp.zeros_like(rows.tokens_BxL[:, :1]) + index
    if problem.positions_BxP is not None:
      index_Bx1 = layout.take(problem.positions_BxP, index_Bx1)
    target_Bx1 = rows.tokens_BxL[:, i][:, None]
    return -apply.nll(hidden_BxTxD, target_Bx1, index_Bx1)[:, 0]

  return one_at_a_time(score_one, rows, spec)
