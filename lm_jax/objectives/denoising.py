"""Trains by denoising infilled and shuffled text (BART)."""

from __future__ import annotations

import dataclasses
import math
from typing import Literal

import jax
import jax.numpy as jnp

from lm_jax import layout
from lm_jax.layout import Part, take
from lm_jax.objectives import _scores, base, corrupt
from lm_jax.types import Array, Problem, Rows, Spec


@dataclasses.dataclass(frozen=True)
class Denoising(base.Objective):
  """Restores a text from its infilled and shuffled version (BART).

  Lewis et al. 2020, section 2.2: sentences are put in random order, then 30 %
  of the tokens, in spans of Poisson(3) length, are replaced by one [MASK]
  each; a span of length 0 inserts a [MASK]. L = mean cross-entropy of the
  whole original text. Departures: lengths count tokens, and spans start
  anywhere; the released code counts words and starts at words (unit="word").
  Every span becomes a [MASK]; there one in ten becomes a random token
  (random=0.1). The mean is 3 as in the paper; it is 3.5 in the released command
  (mean_span=3.5). Spans do not touch; there one may begin in another.
  round(rate * n) of n tokens are hidden; there ceil(rate * n).
  """

  architectures = base.DECODERS
  natural = "prefix_decoder"
  scoring = "infilling"
  continues = True
  needs = ("mask",)

  rate: float = base.option(
    0.3, "fraction of the tokens to hide", above=0, below=1
  )
  mean_span: float = base.option(
    3.0, "mean of the span lengths, which are Poisson", least=1, most=20
  )
  unit: Literal["token", "word"] = base.option(
    "token",
    "unit of span lengths and of the starts of spans",
    absent="token",
  )
  random: float = base.option(
    0.0,
    "fraction of the [MASK]s to replace by random tokens (BART: 0.1)",
    absent=0.0,
    least=0,
    below=1,
  )
  shuffle: bool = base.option(True, "put sentences in random order")

  @property
  def uses_sentences(self) -> str:
    how = "puts sentences in random order (--objective.shuffle=false does not)"
    return how if self.shuffle else ""

  def make(self, rng: Array, rows: Rows, spec: Spec) -> Problem:
    length = rows.tokens_BxL.shape[1]
    keys_B = corrupt.row_keys(rng, rows.tokens_BxL)
    sentence_keys, keys_B = corrupt.two_keys(keys_B)
    shuffled = rows
    if self.shuffle:
      shuffled = shuffle_sentences(sentence_keys, rows, spec)
    noise = max(1, round(self.rate * length))
    most = math.ceil(1.25 * noise / self.mean_span) + 4
    context = self.infill(keys_B, shuffled, most, noise, spec)
    answer = corrupt.compact_tokens(
      rows.tokens_BxL,
      rows.segment_BxL,
      (rows.segment_BxL > 0) & ~base.opening(rows, spec),
      length - 1,
    )
    return layout.pair(context, answer, spec)

  def infill(self, keys_B, rows: Rows, most: int, noise: int, spec) -> Part:
    """Replaces spans of text by [MASK]: a Part [B, L - noise + most + 1]."""
    length_keys, keys_B = corrupt.two_keys(keys_B)
    place_keys, insert_keys = corrupt.two_keys(keys_B)
    batch, length = rows.tokens_BxL.shape
    eligible_BxL = base.eligible(rows, spec)
    # Units of length begin at these tokens.
    begins_BxL = eligible_BxL
    if self.unit == "word":
      begins_BxL = eligible_BxL & layout.starts(rows.word_BxL)
    size_B = jnp.sum(begins_BxL, axis=1)
    noise_B = jnp.round(self.rate * size_B).astype(jnp.int32)
    drawn_BxM = poisson(length_keys, self.mean_span, most)
    before_BxM = jnp.cumsum(drawn_BxM, axis=1) - drawn_BxM
    used_BxM = before_BxM < noise_B[:, None]
    lengths_BxM = jnp.minimum(drawn_BxM, noise_B[:, None] - before_BxM)
    lengths_BxM = jnp.where(used_BxM, lengths_BxM, 0)
    empty_B = jnp.sum(used_BxM & (drawn_BxM == 0), axis=1)
    order = jnp.argsort(lengths_BxM == 0, axis=1, stable=True)
    noise_BxE, first_BxE = corrupt.place_spans(
      place_keys, take(lengths_BxM, order), size_B, length, trailing=True
    )
    index_BxL = jnp.maximum(jnp.cumsum(begins_BxL, axis=1) - 1, 0)
    noise_BxL = take(noise_BxE, index_BxL) & eligible_BxL
    # A span that crosses a document's end counts as two.
    first_BxL = noise_BxL & (
      (take(first_BxE, index_BxL) & begins_BxL)
      | ~jnp.roll(noise_BxL, 1, axis=1)
    )
    insert_BxL = corrupt.choose(insert_keys, eligible_BxL & ~noise_BxL, empty_B)
    tokens_BxL = jnp.where(noise_BxL, spec.specials.mask, rows.tokens_BxL)
    keep_BxL = (rows.segment_BxL > 0) & ~base.opening(rows, spec)
    keep_BxL = keep_BxL & (~noise_BxL | first_BxL)
    mask_BxL = jnp.full_like(tokens_BxL, spec.specials.mask)
    if self.random:
      own_B, inserted_B = corrupt.two_keys(insert_keys)
      share = (1 - self.random, self.random)
      tokens_BxL = corrupt.mask_out(own_B, tokens_BxL, noise_BxL, spec, *share)
      mask_BxL = corrupt.mask_out(
        inserted_B, mask_BxL, insert_BxL, spec, *share
      )
    doubled = (batch, 2 * length)
    return corrupt.compact_tokens(
      jnp.stack([mask_BxL, tokens_BxL], axis=2).reshape(doubled),
      jnp.repeat(rows.segment_BxL, 2, axis=1),
      jnp.stack([insert_BxL, keep_BxL], axis=2).reshape(doubled),
      # Words may be short: no bound on their tokens is assumed.
      length + (0 if self.unit == "word" else 1 - noise) + most + length // 64,
    )

  def score(self, apply, rows: Rows, spec: Spec) -> Array:
    keep_BxL = (rows.segment_BxL > 0) & ~base.opening(rows, spec)
    index_BxL = jnp.maximum(jnp.cumsum(keep_BxL, axis=1) - 1, 0)
    answer = corrupt.compact_tokens(
      rows.tokens_BxL, rows.segment_BxL, keep_BxL, keep_BxL.shape[1]
    )

    def answer_of(i):
      return answer, index_BxL[:, i][:, None]

    return _scores.infilling_score(
      apply, rows, spec, spec.specials.mask, answer_of
    )

  def prompt(self, rows: Rows, spec: Spec) -> Problem:
    """Puts a [MASK] after the text, which the answer repeats."""
    text_BxL = jnp.where(base.opening(rows, spec), 0, rows.segment_BxL)
    text = Part(rows.tokens_BxL, text_BxL)
    return base.answering(rows, spec, after=spec.specials.mask, answer=text)


def poisson(keys_B: Array, mean: float, size: int) -> Array:
  """Draws Poisson numbers by inversion, cut at 63: int32 [B, size]."""
  term, below, cdf = math.exp(-mean), 0.0, []
  for k in range(64):
    below += term
    cdf.append(below)
    term *= mean / (k + 1)
  noise_BxN = corrupt.uniform(keys_B, size)
  return jnp.searchsorted(
    jnp.array(cdf, jnp.float32), noise_BxN, side="right"
  ).astype(jnp.int32)


def shuffle_sentences(keys_B: Array, rows: Rows, spec: Spec) -> Rows:
  """Puts the sentences of each segment in random order.

  Boundary tokens stay in front and [EOS] at the end.
  """
  noise_BxL = corrupt.uniform(keys_B, rows.tokens_BxL.shape[1])
  key_BxL = take(noise_BxL, rows.sentence_BxL)
  key_BxL = jnp.where(rows.tokens_BxL == spec.specials.end, 1.0, key_BxL)
  key_BxL = jnp.where(base.opening(rows, spec), -1.0, key_BxL)
  by_key = jnp.argsort(key_BxL, axis=1, stable=True)
  # Then by segment; padding (0) stays at the end.
  segment_BxL = jnp.where(
    rows.segment_BxL > 0, rows.segment_BxL, rows.segment_BxL.shape[1] + 1
  )
  by_segment = jnp.argsort(take(segment_BxL, by_key), axis=1, stable=True)
  order = take(by_key, by_segment)
  return jax.tree.map(lambda x: take(x, order), rows)
