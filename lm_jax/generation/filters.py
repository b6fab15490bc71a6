"""Filters of the next token's logits.

Each has the meaning that it has in Transformers, and they run in its order.
Logits are float32 [B, V]; what may not come is -inf.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp

from lm_jax.generation.options import Generation
from lm_jax.types import Array

Values = Mapping[str, Array]


class Past(NamedTuple):
  """Tokens that have been read and chosen.

  tokens_BxS: by slot; real_BxS: whether the slot holds one.
  length: of the slots, those that are filled; the next token's is this one.
  chosen: tokens so far that were not in the prompt.
  remaining: tokens that may be chosen, the next one included.
  begin: of `chosen`, where `begin_suppress_tokens` holds.
  """

  tokens_BxS: Array
  real_BxS: Array
  length: Array
  chosen: Array
  remaining: Array
  begin: Array | int = 0


def constrain(
  logits_BxV: Array,
  past: Past,
  static: Generation,
  values: Values,
  ends: tuple[int, ...],
  least: Array,
) -> Array:
  """Applies the constraints that hold for every kind of search.

  Args:
    logits_BxV: of the model; log-probabilities in a beam search.
    past: what has been.
    static, values: of the options.
    ends: ids that end a text.
    least: min_new_tokens.
  """
  for ids, more in static.biases:
    logits_BxV = biased(logits_BxV, past, ids, more)
  if static.repetition_penalty != 1:
    penalty = values["repetition_penalty"]
    logits_BxV = repetition_penalty(logits_BxV, past, penalty)
  if static.no_repeat_ngram_size:
    size = static.no_repeat_ngram_size
    banned_BxV = repeated_ngrams(logits_BxV, past, size)
    logits_BxV = jnp.where(banned_BxV, -jnp.inf, logits_BxV)
  for ids in static.bad_words_ids:
    if len(ids) > 1 or ids[0] not in ends:
      logits_BxV = biased(logits_BxV, past, ids, -jnp.inf)
  vocabulary = logits_BxV.shape[1]
  if ends:
    early = past.chosen < least
    banned_V = _among(ends, vocabulary) & early
    logits_BxV = jnp.where(banned_V[None], -jnp.inf, logits_BxV)
  first, last = static.forced_bos_token_id, static.forced_eos_token_id
  for token, now in (
    # As Transformers, where nothing but a start token is read before.
    (first, (past.chosen == 0) & (past.begin > 0)),
    (last, past.remaining == 1),
  ):
    if token >= 0:
      only_V = jnp.where(_among((token,), vocabulary), 0.0, -jnp.inf)
      logits_BxV = jnp.where(now, only_V[None], logits_BxV)
  if static.exponential_decay_length_penalty and ends:
    logits_BxV = likelier_end(
      logits_BxV, past, ends, *static.exponential_decay_length_penalty
    )
  if static.suppress_tokens:
    banned_V = _among(static.suppress_tokens, vocabulary)
    logits_BxV = jnp.where(banned_V[None], -jnp.inf, logits_BxV)
  if static.begin_suppress_tokens:
    banned_V = _among(static.begin_suppress_tokens, vocabulary)
    banned_V = banned_V & (past.chosen == past.begin)
    logits_BxV = jnp.where(banned_V[None], -jnp.inf, logits_BxV)
  return logits_BxV


def warp(
  logits_BxV: Array, static: Generation, values: Values, keep: int = 1
) -> Array:
  """Returns the distribution to sample from, as logits.

  Args:
    logits_BxV: constrained.
    static, values: of the options.
    keep: tokens that each filter leaves at least.
  """
  if static.temperature != 1:
    logits_BxV = logits_BxV / values["temperature"]
  if static.top_k:
    logits_BxV = top_k(logits_BxV, max(static.top_k, keep))
  if static.top_p != 1:
    logits_BxV = top_p(logits_BxV, values["top_p"], keep)
  if static.min_p != 0:
    logits_BxV = min_p(logits_BxV, values["min_p"], keep)
  if static.typical_p != 1:
    logits_BxV = typical_p(logits_BxV, values["typical_p"], keep)
  if static.epsilon_cutoff != 0:
    logits_BxV = epsilon(logits_BxV, values["epsilon_cutoff"], keep)
  if static.eta_cutoff != 0:
    logits_BxV = eta(logits_BxV, values["eta_cutoff"], keep)
  return logits_BxV


def biased(
  logits_BxV: Array, past: Past, ids: tuple[int, ...], more: float
) -> Array:
  """Adds to the logit of the last of the ids where the others come before it.

  As Transformers' sequence_bias, and its bad_words_ids with -inf.
  """
  *before, last = ids
  rows, slots = past.tokens_BxS.shape
  match_B = jnp.ones(rows, bool)
  for back, token in enumerate(reversed(before), 1):
    at = past.length - back
    read = jnp.clip(at, 0, slots - 1)
    there_B = past.real_BxS[:, read] & (past.tokens_BxS[:, read] == token)
    match_B = match_B & there_B & (at >= 0)
  added_B = jnp.where(match_B, more, 0.0)
  return logits_BxV.at[:, last].add(added_B)


def likelier_end(
  logits_BxV: Array,
  past: Past,
  ends: tuple[int, ...],
  start: float,
  factor: float,
) -> Array:
  """Applies Transformers' exponential_decay_length_penalty.

  From `start` new tokens on, n more of them add |logit| (factor^n - 1) to the
  logits of ends.
  """
  over = jnp.maximum(past.chosen - start, 0.0)
  ends_E = jnp.array(ends)
  end_BxE = logits_BxV[:, ends_E]
  more_BxE = jnp.abs(end_BxE) * (factor**over - 1)
  more_BxE = jnp.where(jnp.isfinite(end_BxE), more_BxE, 0.0)
  return logits_BxV.at[:, ends_E].add(more_BxE)


def repetition_penalty(logits_BxV: Array, past: Past, penalty: Array) -> Array:
  """Penalizes tokens that were there (Keskar et al. 2019, section 4.1).

  A positive logit is divided by the penalty, a negative one multiplied.
  """
  batch, vocabulary = logits_BxV.shape
  seen_BxV = jnp.zeros((batch, vocabulary), bool)
  rows = jnp.arange(batch)[:, None]
  seen_BxV = seen_BxV.at[rows, past.tokens_BxS].max(past.real_BxS)
  less_BxV = jnp.where(
    logits_BxV < 0, logits_BxV * penalty, logits_BxV / penalty
  )
  return jnp.where(seen_BxV, less_BxV, logits_BxV)


def repeated_ngrams(logits_BxV: Array, past: Past, size: int) -> Array:
  """Marks tokens that would repeat `size` tokens: bool."""
  batch, vocabulary = logits_BxV.shape
  slots = past.tokens_BxS.shape[1]
  windows = slots - size + 1
  banned_BxV = jnp.zeros((batch, vocabulary), bool)
  if windows < 1:
    return banned_BxV
  start = past.length - (size - 1)
  match_BxW = jnp.broadcast_to(
    (jnp.arange(windows) < start)[None] & (start >= 0), (batch, windows)
  )
  for i in range(size - 1):
    at = jnp.clip(start + i, 0, slots - 1)
    last_Bx1 = jax.lax.dynamic_slice_in_dim(past.tokens_BxS, at, 1, 1)
    real_Bx1 = jax.lax.dynamic_slice_in_dim(past.real_BxS, at, 1, 1)
    there_BxW = past.real_BxS[:, i : i + windows] & real_Bx1
    same_BxW = past.tokens_BxS[:, i : i + windows] == last_Bx1
    match_BxW = match_BxW & there_BxW & same_BxW
  match_BxW = match_BxW & past.real_BxS[:, size - 1 :]
  rows = jnp.arange(batch)[:, None]
  return banned_BxV.at[rows, past.tokens_BxS[:, size - 1 :]].max(match_BxW)


def top_k(logits_BxV: Array, k: int) -> Array:
  """Keeps the k likeliest, and ties with the last (Fan et al. 2018)."""
  k = min(k, logits_BxV.shape[1])
  least_Bx1 = jax.lax.top_k(logits_BxV, k)[0][:, -1:]
  return jnp.where(logits_BxV < least_Bx1, -jnp.inf, logits_BxV)


def top_p(logits_BxV: Array, mass: Array, keep: int = 1) -> Array:
  """Keeps the nucleus of a mass (Holtzman et al. 2020, section 3.1)."""
  order_BxV = jnp.argsort(logits_BxV, axis=1)
  sorted_BxV = jnp.take_along_axis(logits_BxV, order_BxV, axis=1)
  below_BxV = jnp.cumsum(jax.nn.softmax(sorted_BxV, axis=1), axis=1)
  out_BxV = below_BxV <= 1 - mass
  out_BxV = out_BxV.at[:, -keep:].set(False)
  return _without(logits_BxV, order_BxV, out_BxV)


def min_p(logits_BxV: Array, least: Array, keep: int = 1) -> Array:
  """Keeps tokens at least `least` times the likeliest (Nguyen et al. 2024)."""
  probability_BxV = jax.nn.softmax(logits_BxV, axis=1)
  top_Bx1 = jnp.max(probability_BxV, axis=1, keepdims=True)
  out_BxV = probability_BxV < least * top_Bx1
  return _cut(logits_BxV, out_BxV, keep)


def typical_p(logits_BxV: Array, mass: Array, keep: int = 1) -> Array:
  """Keeps information nearest to the entropy (Meister et al. 2022, eq. 10)."""
  log_BxV = jax.nn.log_softmax(logits_BxV, axis=1)
  finite_BxV = jnp.where(jnp.isfinite(log_BxV), log_BxV, 0.0)
  entropy_Bx1 = -jnp.sum(jnp.exp(log_BxV) * finite_BxV, axis=1, keepdims=True)
  distance_BxV = jnp.abs(-log_BxV - entropy_Bx1)
  order_BxV = jnp.argsort(distance_BxV, axis=1)
  sorted_BxV = jnp.take_along_axis(distance_BxV, order_BxV, axis=1)
  probability_BxV = jnp.exp(jnp.take_along_axis(log_BxV, order_BxV, axis=1))
  below_BxV = jnp.cumsum(probability_BxV, axis=1) < mass
  last_Bx1 = jnp.sum(below_BxV, axis=1, keepdims=True)
  last_Bx1 = jnp.minimum(last_Bx1, logits_BxV.shape[1] - 1)
  limit_Bx1 = jnp.take_along_axis(sorted_BxV, last_Bx1, axis=1)
  out_BxV = sorted_BxV > limit_Bx1
  out_BxV = out_BxV.at[:, :keep].set(False)
  return _without(logits_BxV, order_BxV, out_BxV)


def epsilon(logits_BxV: Array, least: Array, keep: int = 1) -> Array:
  """Keeps a least probability (Hewitt et al. 2022, section 4.1)."""
  return _cut(logits_BxV, jax.nn.softmax(logits_BxV, axis=1) < least, keep)


def eta(logits_BxV: Array, least: Array, keep: int = 1) -> Array:
  """Keeps min(e, sqrt(e) exp(-entropy)) or more (Hewitt et al. 2022, eq. 4)."""
  log_BxV = jax.nn.log_softmax(logits_BxV, axis=1)
  finite_BxV = jnp.where(jnp.isfinite(log_BxV), log_BxV, 0.0)
  entropy_Bx1 = -jnp.sum(jnp.exp(log_BxV) * finite_BxV, axis=1, keepdims=True)
  limit_Bx1 = jnp.minimum(least, jnp.sqrt(least) * jnp.exp(-entropy_Bx1))
  return _cut(logits_BxV, jnp.exp(log_BxV) < limit_Bx1, keep)


def _cut(logits_BxV: Array, out_BxV: Array, keep: int) -> Array:
  """Removes marked tokens, except the `keep` likeliest."""
  k = min(keep, logits_BxV.shape[1])
  least_Bx1 = jax.lax.top_k(logits_BxV, k)[0][:, -1:]
  out_BxV = out_BxV & (logits_BxV < least_Bx1)
  return jnp.where(out_BxV, -jnp.inf, logits_BxV)


def _without(logits_BxV: Array, order_BxV: Array, out_BxV: Array) -> Array:
  """Removes tokens that are marked in another order."""
  rows = jnp.arange(logits_BxV.shape[0])[:, None]
  marked_BxV = jnp.zeros(logits_BxV.shape, bool)
  marked_BxV = marked_BxV.at[rows, order_BxV].set(out_BxV)
  return jnp.where(marked_BxV, -jnp.inf, logits_BxV)


def _among(ids: tuple[int, ...], size: int) -> Array:
  """Returns whether a number is one of the ids: bool [size]."""
  return jnp.zeros((size,), bool).at[jnp.array(ids)].set(True)
