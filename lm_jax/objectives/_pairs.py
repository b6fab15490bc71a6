"""Cuts rows of one document into pairs of texts, and couples them."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp

from lm_jax import layout
from lm_jax.objectives import base, corrupt
from lm_jax.types import PADDING, Array, Rows, Spec

# Two texts are cut where their second parts differ least in length. A
# difference of this many tokens counts as much as the random term.
_LIKE = 2.0


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Halves:
  """A batch of rows cut in two: tokens, and masks of the parts A and B."""

  tokens: Rows
  a: Array
  b: Array
  two_B: Array


def text_of(rows: Rows, spec: Spec) -> Array:
  """Mask of the text, without openings, ends and padding: bool [B, L]."""
  there_BxL = (rows.segment_BxL > 0) & (rows.tokens_BxL != spec.specials.end)
  return there_BxL & ~base.opening(rows, spec)


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Sentences:
  """Places where a batch of rows may be cut: the starts of sentences.

  The first sentence of a row is no such place.

  text_BxL: bool, the text to cut.
  start_BxM: int32, starts of sentences.
  first_BxM: int32, number of tokens before them.
  cut_BxM: bool, whether the row may be cut there.
  size_Bx1: int32, number of tokens of the text.
  """

  text_BxL: Array
  start_BxM: Array
  first_BxM: Array
  cut_BxM: Array
  size_Bx1: Array

  @property
  def two_B(self) -> Array:
    """Mask of the rows that can be cut, bool [B]."""
    return jnp.any(self.cut_BxM, axis=1)


def sentences(rows: Rows, spec: Spec, share_Bx1: Array) -> Sentences:
  """Finds the first sentences of rows, up to a share of the room.

  Args:
    rows: one document each.
    spec: with the special tokens.
    share_Bx1: in [0, 1]: sentences are taken until they have this share of the
      tokens that a pair has room for; at least two, if there are two.
  """
  text_BxL = text_of(rows, spec)
  length = text_BxL.shape[1]
  before_BxL = jnp.roll(text_BxL, 1, axis=1)
  new_BxL = jnp.roll(rows.sentence_BxL, 1, axis=1) != rows.sentence_BxL
  new_BxL = text_BxL & (new_BxL | ~before_BxL)
  count_BxL = jnp.cumsum(text_BxL, axis=1) - text_BxL  # tokens before
  number_BxL = jnp.cumsum(new_BxL, axis=1)
  wanted_Bx1 = jnp.ceil(share_Bx1 * (length - 1))
  over_BxL = new_BxL & (count_BxL >= wanted_Bx1) & (number_BxL > 2)
  text_BxL = text_BxL & (jnp.cumsum(over_BxL, axis=1) == 0)
  new_BxL = new_BxL & text_BxL
  # A row with more than a sentence per four tokens is not cut in the last ones.
  start_BxM, there_BxM = layout.compact(new_BxL, max(2, length // 4))
  first_BxM = jnp.where(there_BxM, layout.take(count_BxL, start_BxM), 0)
  return Sentences(
    text_BxL,
    start_BxM,
    first_BxM.astype(jnp.int32),
    there_BxM & (first_BxM > 0),
    jnp.sum(text_BxL, axis=1, keepdims=True),
  )


def cut(text: Sentences, rows: Rows, place_Bx1: Array) -> Halves:
  """Cuts rows before the sentence of a number; an uncuttable row is all A."""
  length = rows.tokens_BxL.shape[1]
  at_Bx1 = layout.take(text.start_BxM, place_Bx1)
  at_Bx1 = jnp.where(text.two_B[:, None], at_Bx1, length)
  index = jnp.arange(length)[None]
  return Halves(
    rows,
    text.text_BxL & (index < at_Bx1),
    text.text_BxL & (index >= at_Bx1),
    text.two_B,
  )


def anywhere(keys_B: Array, text: Sentences) -> Array:
  """Chooses the number of a sentence to cut before, at random: int32 [B, 1]."""
  noise_BxM = corrupt.uniform(keys_B, text.cut_BxM.shape[1])
  noise_BxM = jnp.where(text.cut_BxM, noise_BxM, -1.0)
  return jnp.argmax(noise_BxM, axis=1)[:, None]


def couples(rng: Array, rows: Rows, two_B: Array) -> tuple[Array, Array]:
  """Couples each row with one of another document: an involution.

  If all rows have segments of one number, nothing is known of their documents,
  and each row counts as a document.

  Args:
    rng: a key.
    rows: of one segment each.
    two_B: mask of the rows to couple.

  Returns:
    The number of the partner, int32 [B], and whether there is one, bool [B]. If
    not, the number is that of the row itself.
  """
  batch, length = rows.segment_BxL.shape
  document_B = jnp.max(rows.segment_BxL, axis=1)
  document_rng, row_rng = jax.random.split(rng)
  among = jax.random.uniform(row_rng, (batch,))
  noise_S = jax.random.uniform(document_rng, (length + 1,))
  # Documents in random order, rows of a document together: half of all rows
  # further there is another document, unless one has more than half of them.
  by_row = jnp.argsort(jnp.where(two_B, among, 2.0))
  order = by_row[
    jnp.argsort(jnp.where(two_B, noise_S[document_B], 2.0)[by_row], stable=True)
  ]
  half = jnp.sum(two_B) // 2
  rank = jnp.arange(batch)
  other = jnp.where(rank < half, rank + half, rank - half)
  other = jnp.where(rank < 2 * half, other, rank)
  partner_B = jnp.zeros(batch, jnp.int32).at[order].set(order[other])
  unknown = jnp.all(document_B == document_B[0])
  apart_B = unknown | (document_B != document_B[partner_B])
  return partner_B, apart_B & (partner_B != jnp.arange(batch))


def alike(
  keys_B: Array, text: Sentences, partner_B: Array, room: int
) -> tuple[Array, Array]:
  """Cuts the rows of each couple so that their second parts are alike.

  It draws a place in each row such that both pairs fit when the second parts
  are exchanged, and that these have nearly equal lengths.

  Args:
    keys_B: one key a row.
    text: sentences of the rows.
    partner_B: from `couples`.
    room: most tokens of a pair.

  Returns:
    The number of a sentence, int32 [B, 1], and whether any place fits, bool
    [B].
  """
  a, b, other_a, other_b = _sizes(text, partner_B)
  fits_BxMxM = (a + other_b <= room) & (other_a + b <= room)
  return _places(keys_B, text, partner_B, fits_BxMxM, jnp.abs(b - other_b))


def by_size(text: Sentences) -> Array:
  """Couples each row with one of about its size: int32 [B].

  A row without partner is coupled with itself.
  """
  batch = text.size_Bx1.shape[0]
  order = jnp.argsort(jnp.where(text.two_B, -text.size_Bx1[:, 0], 1))
  rank = jnp.arange(batch)
  other = jnp.minimum(rank + 1 - 2 * (rank % 2), batch - 1)
  return jnp.zeros(batch, jnp.int32).at[order].set(order[other])


def mirrored(
  keys_B: Array, text: Sentences, partner_B: Array, tolerance: int
) -> tuple[Array, Array]:
  """Cuts the rows of each couple so that their lengths mirror each other.

  The lengths of one row are those of the other in reverse order. So the lengths
  of two parts do not show which one is the first.

  Args, Returns: see `alike`; places whose lengths differ by more than the
    tolerance do not fit.
  """
  a, b, other_a, other_b = _sizes(text, partner_B)
  apart_BxMxM = jnp.abs(a - other_b) + jnp.abs(b - other_a)
  fits_BxMxM = apart_BxMxM <= tolerance
  itself_B = partner_B == jnp.arange(partner_B.shape[0])
  fits_BxMxM &= ~itself_B[:, None, None]
  return _places(keys_B, text, partner_B, fits_BxMxM, apart_BxMxM)


def _sizes(text: Sentences, partner_B: Array):
  """Counts tokens of A and B in each row [B, M, 1] and partner [B, 1, M]."""
  a_BxM = text.first_BxM
  b_BxM = text.size_Bx1 - a_BxM
  own = (a_BxM[:, :, None], b_BxM[:, :, None])
  return *own, a_BxM[partner_B][:, None, :], b_BxM[partner_B][:, None, :]


def _places(
  keys_B: Array,
  text: Sentences,
  partner_B: Array,
  fits_BxMxM: Array,
  apart_BxMxM: Array,
) -> tuple[Array, Array]:
  """Draws a place to cut each row, among those with little difference.

  Args:
    keys_B: one key a row.
    text, partner_B: the rows of the couples.
    fits_BxMxM, apart_BxMxM: of places of a row and its partner; for the partner
      they are the same, transposed.
  """
  # Both rows of a couple have the same number: the sum of their own.
  noise = 1e-20 + corrupt.uniform(keys_B, text.cut_BxM.shape[1])
  chance_BxM = -jnp.log(-jnp.log(noise))
  chance_BxMxM = chance_BxM[:, :, None] + chance_BxM[partner_B][:, None, :]
  fits_BxMxM &= text.cut_BxM[:, :, None] & text.cut_BxM[partner_B][:, None, :]
  score_BxMxM = chance_BxMxM - apart_BxMxM / _LIKE
  score_BxMxM = jnp.where(fits_BxMxM, score_BxMxM, -jnp.inf)
  batch, most = text.cut_BxM.shape
  best_B = jnp.argmax(score_BxMxM.reshape(batch, -1), axis=1)
  return (best_B // most)[:, None], jnp.any(fits_BxMxM, axis=(1, 2))


def halves(rows: Rows, spec: Spec) -> Halves:
  """Cuts each row at the sentence start nearest to its middle."""
  index = jnp.arange(rows.tokens_BxL.shape[1])[None]
  text_BxL = text_of(rows, spec)
  size_Bx1 = jnp.sum(rows.segment_BxL > 0, axis=1, keepdims=True)
  new_BxL = jnp.roll(rows.sentence_BxL, 1, axis=1) != rows.sentence_BxL
  new_BxL = new_BxL & text_BxL & (index > 1)
  distance_BxL = jnp.abs(2 * index - size_Bx1)
  distance_BxL = jnp.where(new_BxL, distance_BxL, 4 * index.shape[1])
  cut_Bx1 = jnp.argmin(distance_BxL, axis=1)[:, None]
  two_B = jnp.any(new_BxL, axis=1)
  cut_Bx1 = jnp.where(two_B[:, None], cut_Bx1, index.shape[1])
  return Halves(
    rows, text_BxL & (index < cut_Bx1), text_BxL & (index >= cut_Bx1), two_B
  )


def join(
  first: Rows, a_BxL: Array, second: Rows, b_BxL: Array, spec: Spec
) -> tuple[Rows, Array]:
  """Joins texts as [BOS] A [SEP] B [SEP]; returns rows and token types.

  Rows have L + 2 tokens; if A and B are too long together, the end of B is cut.
  """
  length = first.tokens_BxL.shape[1]
  specials = spec.specials
  room_Bx1 = length - 1 - jnp.sum(a_BxL, axis=1, keepdims=True)
  b_BxL = b_BxL & (jnp.cumsum(b_BxL, axis=1) <= room_Bx1)
  one = jnp.ones_like(first.tokens_BxL[:, :1])
  keep = jnp.concatenate([one, a_BxL, one, b_BxL, one], axis=1) > 0
  index, there = layout.compact(keep, length + 2)

  def arrange(opening, values_a, middle, values_b, closing, absent):
    values = jnp.concatenate(
      [one * opening, values_a, one * middle, values_b, one * closing], axis=1
    )
    return jnp.where(there, layout.take(values, index), absent)

  tokens = arrange(
    specials.boundary,
    first.tokens_BxL,
    specials.separator,
    second.tokens_BxL,
    specials.separator,
    specials.pad,
  )
  zero = jnp.zeros_like(first.tokens_BxL)
  # Words of A and B stay apart, and so do those of the special tokens.
  word = arrange(
    0, first.word_BxL + 1, length + 1, second.word_BxL + length + 2, 0, 0
  )
  _, word = _renumber(word)
  joined = Rows(
    tokens_BxL=tokens,
    segment_BxL=there.astype(jnp.int32),
    word_BxL=word,
    sentence_BxL=arrange(0, first.sentence_BxL, 0, second.sentence_BxL, 0, 0),
    part_BxL=jnp.where(there, 1, PADDING),
  )
  return joined, arrange(0, zero, 0, zero + 1, 1, 0)


def _renumber(word_BxT: Array) -> tuple[Array, Array]:
  """Numbers runs of equal values from 0, so that ids stay below T."""
  new = layout.starts(word_BxT)
  return new, jnp.cumsum(new, axis=1, dtype=jnp.int32) - 1
