"""Trains by span corruption (T5)."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp

from lm_jax import layout
from lm_jax.layout import Part
from lm_jax.objectives import _scores, base, corrupt
from lm_jax.support.errors import UsageError
from lm_jax.types import Array, Problem, Rows, Spec


@dataclasses.dataclass(frozen=True)
class SpanCorruption(base.Objective):
  """Predicts short spans that sentinels replace in the context (T5).

  Raffel et al. 2020, section 3.1.4: noise density 15 %, mean span length 3;
  n = round(0.15 E) noise tokens in round(n / 3) spans; uniform random
  compositions cut both these and the rest (random_spans_noise_mask). The
  context has one sentinel for each span; the answer is sentinel, span,
  sentinel, span, ..., [EOS]. L = mean cross-entropy of the answer. As there, a
  row's last token is always noise. Departures: rows have at most `--length`
  tokens; T5 reads enough tokens (568) to fill the context (512). A span ends at
  a document's end; sentinels are numbered from 0 in each document of a packed
  row; [EOS] replaces the closing sentinel; a document without a span has no
  answer.
  """

  architectures = base.DECODERS
  natural = "prefix_decoder"
  scoring = "infilling"
  continues = True
  needs = ("sentinels", "end")

  rate: float = base.option(
    0.15, "noise density, the fraction of the tokens to hide", above=0, below=1
  )
  mean_span: float = base.option(
    3.0, "mean length of a span, in tokens", least=1
  )

  def check(self, spec: Spec, batch_size: int, accumulate: int) -> None:
    super().check(spec, batch_size, accumulate)
    _, spans = most_noise(spec.length, self.rate, self.mean_span)
    check_sentinels(spans, spec)

  def make(self, rng: Array, rows: Rows, spec: Spec) -> Problem:
    length = rows.tokens_BxL.shape[1]
    keys_B = corrupt.row_keys(rng, rows.tokens_BxL)
    eligible_BxL = base.eligible(rows, spec)
    noise, spans = most_noise(length, self.rate, self.mean_span)
    noise_BxL = span_noise(
      keys_B, eligible_BxL, self.rate, self.mean_span, spans
    )
    # A span that crosses a document's end counts as two and needs one more
    # sentinel and [EOS]: room for two of these, and for more in long rows.
    slack = 4 + length // 64
    context, answer = sentinel_parts(
      rows,
      noise_BxL,
      spec,
      context_size=length - noise + spans + slack,
      answer_size=noise + 2 * spans + slack,
    )
    # Each span costs a sentinel on both sides; [EOS] replaces the
    # boundary token, which the context does not have.
    return layout.pair(context, answer, spec, length=length + 2 * spans + slack)

  def score(self, apply, rows: Rows, spec: Spec) -> Array:
    sentinel = spec.specials.first_sentinel

    def answer_of(i):
      token_Bx1 = rows.tokens_BxL[:, i][:, None]
      opening_Bx1 = jnp.full_like(token_Bx1, sentinel)
      segment_Bx1 = rows.segment_BxL[:, i][:, None]
      return Part(
        jnp.concatenate([opening_Bx1, token_Bx1], axis=1),
        jnp.concatenate([segment_Bx1, segment_Bx1], axis=1),
      ), 1

    return _scores.infilling_score(apply, rows, spec, sentinel, answer_of)

  def prompt(self, rows: Rows, spec: Spec) -> Problem:
    """Puts a sentinel after the text for its continuation."""
    sentinel = spec.specials.first_sentinel
    one_Bx1 = jnp.ones_like(rows.tokens_BxL[:, :1])
    opened = Part(sentinel * one_Bx1, one_Bx1)
    return base.answering(rows, spec, after=sentinel, answer=opened)


def check_sentinels(spans: int, spec: Spec) -> None:
  """Raises UsageError where the vocabulary has too few sentinels."""
  if spans > spec.specials.sentinels:
    raise UsageError(
      f"--length={spec.length}: needs {spans} sentinels, and the tokenizer "
      f"has {spec.specials.sentinels} (--data.sentinels, if it is of ours)"
    )


def most_noise(length: int, rate: float, mean_span: float) -> tuple[int, int]:
  """Returns the most noise tokens and spans in a row of `length`."""
  noise = max(1, round(rate * length))
  return noise, max(1, round(noise / mean_span))


def span_noise(
  keys_B: Array, eligible_BxL: Array, rate, mean_span, most: int
) -> Array:
  """Draws T5's noise mask over the eligible tokens of each row: bool [B, L].

  Args:
    keys_B: one key a row.
    eligible_BxL: bool; the mask treats these as if there were no others.
    rate, mean_span: numbers, or float32 [B].
    most: static bound of the number of spans.
  """
  size_B = jnp.sum(eligible_BxL, axis=1)
  noise_B = jnp.round(rate * size_B).astype(jnp.int32)
  noise_B = jnp.clip(noise_B, 1, jnp.maximum(size_B - 1, 1))
  spans_B = jnp.round(noise_B / mean_span).astype(jnp.int32)
  spans_B = jnp.clip(spans_B, 1, jnp.minimum(noise_B, size_B - noise_B))
  spans_B = jnp.minimum(spans_B, most)
  noise_B = jnp.where(size_B < 2, 0, noise_B)
  spans_B = jnp.where(size_B < 2, 0, spans_B)
  length = eligible_BxL.shape[1]
  length_keys, place_keys = corrupt.two_keys(keys_B)
  lengths_BxM = corrupt.composition(length_keys, noise_B, spans_B, length, most)
  noise_BxE, _ = corrupt.place_spans(place_keys, lengths_BxM, size_B, length)
  index_BxL = jnp.maximum(jnp.cumsum(eligible_BxL, axis=1) - 1, 0)
  return jnp.take_along_axis(noise_BxE, index_BxL, axis=1) & eligible_BxL


def sentinel_parts(
  rows: Rows, noise_BxL: Array, spec: Spec, context_size: int, answer_size: int
) -> tuple[Part, Part]:
  """Makes the context with sentinels and the answer with the hidden spans.

  >>> one = jnp.ones((1, 6), jnp.int32)
  >>> rows = Rows(
  ...   jnp.array([[2, 200, 201, 202, 203, 204]]), one, one, one, one
  ... )
  >>> noise = jnp.array([[False, False, True, False, True, True]])
  >>> spec = Spec("encoder_decoder", 6, 300)
  >>> context, answer = sentinel_parts(rows, noise, spec, 5, 6)
  >>> context.tokens_BxN
  Array([[200,   9, 202,  10,   0]], dtype=int32)
  >>> answer.tokens_BxN
  Array([[  9, 201,  10, 203, 204,   3]], dtype=int32)
  """
  first_BxL, sentinel_BxL = number_spans(noise_BxL, rows.segment_BxL, spec)
  keep_BxL = (rows.segment_BxL > 0) & ~base.opening(rows, spec)
  context = corrupt.compact_tokens(
    jnp.where(first_BxL, sentinel_BxL, rows.tokens_BxL),
    rows.segment_BxL,
    keep_BxL & (~noise_BxL | first_BxL),
    context_size,
  )
  return context, answer_part(
    rows, noise_BxL, first_BxL, sentinel_BxL, spec, answer_size
  )


def number_spans(
  noise_BxL: Array, segment_BxL: Array, spec: Spec
) -> tuple[Array, Array]:
  """Returns first tokens of spans, and the sentinel of each token's span."""
  new_BxL = layout.starts(segment_BxL)
  before_BxL = jnp.roll(noise_BxL, 1, axis=1) & ~new_BxL
  first_BxL = noise_BxL & ~before_BxL
  count_BxL = jnp.cumsum(first_BxL, axis=1, dtype=jnp.int32)
  base_BxL = _last_start(count_BxL - first_BxL, new_BxL)
  number_BxL = jnp.maximum(count_BxL - base_BxL - 1, 0)
  number_BxL = jnp.minimum(number_BxL, spec.specials.sentinels - 1)
  sentinel_BxL = spec.specials.sentinel_step * number_BxL
  return first_BxL, spec.specials.first_sentinel + sentinel_BxL


def answer_part(
  rows, noise_BxL, first_BxL, sentinel_BxL, spec: Spec, size: int
) -> Part:
  """Makes sentinel, span, sentinel, span, ..., [EOS] of each segment.

  Args:
    rows: the text.
    noise_BxL: tokens of the answer.
    first_BxL: tokens with a sentinel before them; a segment without any gets no
      [EOS].
  """
  triples = [
    (sentinel_BxL, first_BxL),
    (rows.tokens_BxL, noise_BxL),
    (
      jnp.full_like(rows.tokens_BxL, spec.specials.end),
      last_of(rows) & in_segments_with(first_BxL, rows.segment_BxL),
    ),
  ]
  batch, length = rows.tokens_BxL.shape
  tokens, keep = (
    jnp.stack(part, axis=2).reshape(batch, 3 * length)
    for part in zip(*triples, strict=True)
  )
  return corrupt.compact_tokens(
    tokens, jnp.repeat(rows.segment_BxL, 3, axis=1), keep, size
  )


def last_of(rows: Rows) -> Array:
  """Returns the last token of each segment: bool [B, L]."""
  after_BxL = jnp.roll(rows.segment_BxL, -1, axis=1).at[:, -1].set(-1)
  return (after_BxL != rows.segment_BxL) & (rows.segment_BxL > 0)


def in_segments_with(mark_BxL: Array, segment_BxL: Array) -> Array:
  """Returns the tokens whose segment has a marked token: bool [B, L]."""
  batch, length = segment_BxL.shape
  index = jnp.arange(batch)[:, None]
  has_BxS = jnp.zeros((batch, length + 1), bool)
  has_BxS = has_BxS.at[index, segment_BxL].max(mark_BxL)
  return layout.take(has_BxS, segment_BxL)


def _last_start(values_BxL: Array, new_BxL: Array) -> Array:
  """Carries the (growing) value at each segment's start along the segment."""
  return jax.lax.cummax(jnp.where(new_BxL, values_BxL, 0), axis=1)
