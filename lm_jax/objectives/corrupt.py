"""Makes random choices for several objectives; pure, with static shapes.

The counts of a batch may differ from row to row (padding, special tokens),
so every routine takes counts as arrays and sizes as static bounds.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from lm_jax import layout, specials
from lm_jax.layout import Part
from lm_jax.types import Array, Spec


def row_keys(rng: Array, tokens_BxL: Array, dynamic: bool = True) -> Array:
  """Makes a key for each row, [B].

  dynamic: keys come from `rng`, so that a row is corrupted differently each
    time (RoBERTa); otherwise from the row's tokens, so that it is always
    corrupted in the same way (BERT's static masking with one copy of the data).
  """
  if dynamic:
    return jax.random.split(rng, tokens_BxL.shape[0])
  index = jnp.arange(tokens_BxL.shape[1], dtype=jnp.uint32)
  mixed = (tokens_BxL.astype(jnp.uint32) + 1) * (
    2 * index + jnp.uint32(2654435761)
  )
  mixed = (mixed ^ (mixed >> 15)) * jnp.uint32(2246822519)
  hash_B = jnp.sum(mixed, axis=1, dtype=jnp.uint32)
  return jax.vmap(lambda h: jax.random.fold_in(jax.random.key(0), h))(hash_B)


def two_keys(keys_B: Array) -> tuple[Array, Array]:
  """Splits each key into two independent ones."""
  keys_Bx2 = jax.vmap(jax.random.split)(keys_B)
  return keys_Bx2[:, 0], keys_Bx2[:, 1]


def uniform(keys_B: Array, size: int) -> Array:
  """Draws float32 [B, size] in [0, 1), one key a row."""
  return jax.vmap(lambda key: jax.random.uniform(key, (size,)))(keys_B)


def ranks(values_BxN: Array) -> Array:
  """Ranks each value in its row, from 0; equal values keep their order."""
  order = jnp.argsort(values_BxN, axis=1, stable=True)
  return jnp.argsort(order, axis=1, stable=True).astype(jnp.int32)


def share(rate: float | Array, eligible_BxL: Array) -> Array:
  """Computes round(rate * number of eligible tokens), at least 1: int32 [B]."""
  count_B = jnp.sum(eligible_BxL, axis=1)
  wanted_B = jnp.round(rate * count_B).astype(jnp.int32)
  return jnp.minimum(jnp.maximum(wanted_B, 1), count_B)


def slots(rate: float, length: int) -> int:
  """Returns the largest result of `share` for rows of `length`."""
  return max(1, round(rate * length))


def choose(keys_B: Array, eligible_BxL: Array, count_B: Array) -> Array:
  """Chooses `count` eligible tokens, uniformly, no repeats: bool [B, L]."""
  noise_BxL = uniform(keys_B, eligible_BxL.shape[1])
  noise_BxL = jnp.where(eligible_BxL, noise_BxL, 2.0)
  return (ranks(noise_BxL) < count_B[:, None]) & eligible_BxL


def choose_units(
  keys_B: Array,
  unit_BxL: Array,
  eligible_BxL: Array,
  count_B: Array,
  whole: bool = True,
) -> Array:
  """Chooses units (words, spans) at random, up to `count` tokens: bool [B, L].

  whole: a unit that does not fit into the rest of the `count` ends the choice,
    so that up to a unit less is chosen (BERT's whole-word masking skips it and
    tries the next). Otherwise that last unit is cut at its right end and
    exactly `count` tokens are chosen, as in SpanBERT's released code.
  """
  length = unit_BxL.shape[1]
  noise_BxU = uniform(keys_B, length)
  noise_BxL = jnp.take_along_axis(noise_BxU, unit_BxL, axis=1)
  rank_BxL = ranks(jnp.where(eligible_BxL, noise_BxL, 2.0))
  fits_BxL = (rank_BxL < count_B[:, None]) & eligible_BxL
  if not whole:
    return fits_BxL
  batch = jnp.arange(unit_BxL.shape[0])[:, None]
  cut_BxU = jnp.zeros((unit_BxL.shape[0], length), bool)
  cut_BxU = cut_BxU.at[batch, unit_BxL].max(eligible_BxL & ~fits_BxL)
  return fits_BxL & ~jnp.take_along_axis(cut_BxU, unit_BxL, axis=1)


def geometric_tiles(
  keys_B: Array, length: int, p: float, longest: int
) -> Array:
  """Tiles a row with spans of geometric length: unit ids, int32 [B, L].

  Lengths follow Geometric(p) given that they are at most `longest`, as
  SpanBERT draws them (Joshi et al. 2020, section 3.1: p = 0.2, at most 10, of
  mean 3.8).
  """
  noise_BxL = uniform(keys_B, length)

  def tile(key_noise):
    def step(run, noise):
      # P(length = run | run <= length <= longest).
      ends = p / (1 - (1 - p) ** (longest - run + 1))
      new = (noise < ends) | (run >= longest)
      run = jnp.where(new, 1, run + 1)
      return run, new

    _, new_L = jax.lax.scan(step, jnp.int32(longest), key_noise)
    return jnp.cumsum(new_L) - 1

  return jax.vmap(tile)(noise_BxL).astype(jnp.int32)


def uniform_tiles(keys_B: Array, length: int, longest: int) -> Array:
  """Tiles a row with spans of 1 to `longest`: unit ids, int32 [B, L].

  All lengths are equally likely, as in GPT-BERT's released code.
  """
  index = jnp.arange(length)

  def tile(key):
    sizes_L = jax.random.randint(key, (length,), 1, longest + 1)
    return jnp.searchsorted(jnp.cumsum(sizes_L), index, side="right")

  return jax.vmap(tile)(keys_B).astype(jnp.int32)


def compact_tokens(tokens_BxN, segment_BxN, keep_BxN, size: int) -> Part:
  """Moves the kept tokens to the front of `size` places."""
  index, there = layout.compact(keep_BxN, size)
  return Part(
    jnp.where(there, layout.take(tokens_BxN, index), 0),
    jnp.where(there, layout.take(segment_BxN, index), 0),
  )


def mask_out(
  keys_B: Array,
  tokens_BxL: Array,
  chosen_BxL: Array,
  spec: Spec,
  masked: float = 0.8,
  replaced: float = 0.1,
  unit_BxL: Array | None = None,
) -> Array:
  """Applies BERT's 80/10/10: [MASK], random or unchanged: int32 [B, L].

  Devlin et al. 2019, section 3.1. Random tokens are uniform over the
  vocabulary without special tokens.

  Args:
    unit_BxL: tokens of equal numbers are treated alike; by default tokens are
      drawn independently.
  """
  length = tokens_BxL.shape[1]
  action_BxL = uniform(keys_B, length)
  if unit_BxL is not None:
    action_BxL = jnp.take_along_axis(action_BxL, unit_BxL, axis=1)
  other_B = jax.vmap(lambda key: jax.random.fold_in(key, 1))(keys_B)
  random_BxL = jax.vmap(lambda key: specials.random_text(key, (length,), spec))(
    other_B
  )
  out_BxL = jnp.where(
    action_BxL < masked,
    spec.specials.mask,
    jnp.where(action_BxL < masked + replaced, random_BxL, tokens_BxL),
  )
  return jnp.where(chosen_BxL, out_BxL, tokens_BxL)


def composition(
  keys_B: Array, total_B: Array, parts_B: Array, size: int, most: int
) -> Array:
  """Splits `total` into `parts` random sizes of at least 1: int32 [B, most].

  It is uniform over the compositions: parts - 1 of the total - 1 gaps are
  breaks, as in T5's random_spans_noise_mask. Sizes beyond `parts` are 0.

  Args:
    keys_B: one key a row.
    total_B, parts_B: int32; parts <= total <= size, parts <= most.
    size, most: static bounds.
  """
  index = jnp.arange(size)[None]
  noise_BxN = jnp.where(
    (index >= 1) & (index < total_B[:, None]), uniform(keys_B, size), 2.0
  )
  breaks_BxN = ranks(noise_BxN) < (parts_B - 1)[:, None]
  part_BxN = jnp.cumsum(breaks_BxN, axis=1)
  inside_BxN = (index < total_B[:, None]).astype(jnp.int32)
  batch = jnp.arange(keys_B.shape[0])[:, None]
  out_BxM = jnp.zeros((keys_B.shape[0], most), jnp.int32)
  return out_BxM.at[batch, part_BxN].add(inside_BxN, mode="drop")


def place_spans(
  keys_B: Array,
  lengths_BxM: Array,
  count_B: Array,
  size: int,
  trailing: bool = False,
) -> tuple[Array, Array]:
  """Places spans of given lengths in rows of `count` tokens, at random.

  At least one token is left between any two spans and before the first, so that
  spans never merge and the row does not start with noise. As in T5's
  random_spans_noise_mask the row ends with noise, unless `trailing` asks for at
  least one token after the last span.

  Args:
    keys_B: one key a row.
    lengths_BxM: int32; spans of length 0 at the end are ignored.
    count_B: int32, tokens of each row, at most `size`.
    size: static bound.

  Returns:
    Masks of noise and of the first tokens of spans, both bool [B, size].
  """
  gaps_B = jnp.sum(lengths_BxM > 0, axis=1) + int(trailing)
  rest_B = count_B - jnp.sum(lengths_BxM, axis=1)
  most = lengths_BxM.shape[1]
  gaps_BxM = composition(keys_B, rest_B, gaps_B, size, most + 1)[:, :most]
  end_BxM = jnp.cumsum(gaps_BxM + lengths_BxM, axis=1)
  start_BxM = end_BxM - lengths_BxM
  there_BxM = lengths_BxM > 0
  batch = jnp.arange(keys_B.shape[0])[:, None]
  zero = jnp.zeros((keys_B.shape[0], size + 1), jnp.int32)
  first = zero.at[batch, jnp.where(there_BxM, start_BxM, size)].add(1)
  after = zero.at[batch, jnp.where(there_BxM, end_BxM, size)].add(1)
  inside = jnp.cumsum(first[:, :size] - after[:, :size], axis=1) > 0
  return inside, inside & (first[:, :size] > 0)
