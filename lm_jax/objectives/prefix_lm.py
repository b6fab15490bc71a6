"""Trains prefix language models (UniLM, T5)."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp

from lm_jax import layout
from lm_jax.layout import Part
from lm_jax.objectives import _scores, base, corrupt
from lm_jax.types import Array, Problem, Rows, Spec


@dataclasses.dataclass(frozen=True)
class PrefixLM(base.Objective):
  """Predicts a text's second part from a bidirectional first one (T5, UniLM).

  Raffel et al. 2020, section 3.2.1: a cut c is drawn for each segment, and
  L = -sum_(i >= c) log p(x_i | x_1 .. x_(i-1)), x_1 .. x_(c-1) bidirectional.
  The cut is uniform from 0 (so the exact likelihood of a whole text is in
  distribution) to one token before the end. Departures: T5 cuts spans of 512
  tokens once; here each segment of a packed row is cut. UniLM masks tokens of
  both parts; here the whole second part is predicted.
  """

  architectures = frozenset({"prefix_decoder", "encoder_decoder"})
  natural = "prefix_decoder"
  scoring = "log_likelihood"
  continues = True

  def make(self, rng: Array, rows: Rows, spec: Spec) -> Problem:
    batch, length = rows.tokens_BxL.shape
    # One uniform number per segment, looked up by the segment's number.
    noise_BxS = jax.random.uniform(rng, (batch, length + 1))
    noise_BxL = jnp.take_along_axis(noise_BxS, rows.segment_BxL, axis=1)
    return split(rows, noise_BxL, spec)

  def score(self, apply, rows: Rows, spec: Spec) -> Array:
    if spec.architecture == "encoder_decoder":
      boundary = spec.specials.boundary
      return _scores.whole_text_score(apply, rows, spec, boundary)
    return _scores.left_to_right_score(apply, rows, spec)

  def prompt(self, rows: Rows, spec: Spec) -> Problem:
    if spec.architecture == "encoder_decoder":
      return base.answering(rows, spec, before=spec.specials.boundary)
    inputs = layout.in_place(rows, spec, prefix_BxL=segment_sizes(rows))
    return Problem(inputs, None, rows.tokens_BxL, {})


def segment_sizes(rows: Rows) -> Array:
  """Counts the tokens of each token's segment: int32 [B, L]."""
  batch, length = rows.tokens_BxL.shape
  index = jnp.arange(batch)[:, None]
  size_BxS = jnp.zeros((batch, length + 1), jnp.int32)
  size_BxS = size_BxS.at[index, rows.segment_BxL].add(1)
  return jnp.take_along_axis(size_BxS, rows.segment_BxL, axis=1)


def split(rows: Rows, noise_BxL: Array, spec: Spec) -> Problem:
  """Cuts each segment into a prefix and the part to predict.

  Args:
    rows: [B, L].
    noise_BxL: in [0, 1), equal within a segment: the place to cut.
    spec: a prefix_decoder reads the row in place; an encoder_decoder gets
      prefix and rest in its two stacks.
  """
  size_BxL = segment_sizes(rows)
  # The boundary token is always in the prefix and never predicted.
  cut_BxL = 1 + jnp.floor(noise_BxL * jnp.maximum(size_BxL - 1, 1)).astype(
    jnp.int32
  )
  position_BxL = layout.positions(rows.segment_BxL)
  if spec.architecture == "encoder_decoder":
    prefix_BxL = position_BxL < cut_BxL
    context = Part(rows.tokens_BxL, jnp.where(prefix_BxL, rows.segment_BxL, 0))
    answer = corrupt.compact_tokens(
      *(rows.tokens_BxL, rows.segment_BxL),
      *(~prefix_BxL & (rows.segment_BxL > 0), rows.tokens_BxL.shape[1] - 1),
    )
    return layout.pair(context, answer, spec)
  target_BxL, weight_BxL = base.next_token(rows, spec)
  inputs = layout.in_place(rows, spec, prefix_BxL=cut_BxL)
  weight_BxL = weight_BxL * (position_BxL >= cut_BxL - 1)
  return Problem(inputs, None, target_BxL, {"nll": weight_BxL})
