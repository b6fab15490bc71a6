"""Computes attention over visible tokens: a plain and a blocked kernel.

The blocked kernel is causal. Queries are [B, T, H, K]; keys and values
[B, S, H, K]. A token that may attend to nothing outputs zeros. Scores and
softmax are float32.
"""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp

from lm_jax.models import products
from lm_jax.types import Array

BLOCK = 64
# The longest row for the blocked kernel, which keeps the weights.
LONGEST = 1024


def plain(
  q_BxTxHxK: Array,
  k_BxSxHxK: Array,
  v_BxSxHxK: Array,
  visible_BxTxS: Array,
  bias_BxHxTxS: Array | None = None,
  dropout=None,
) -> Array:
  """Computes softmax(q k^T / sqrt(K) + bias) v over visible keys: [B, T, H, K].

  Vaswani et al. 2017, equation 1. The square reference: T x S scores are
  held, and model FLOPs are defined by it.

  Args:
    q_BxTxHxK, k_BxSxHxK, v_BxSxHxK: of the compute dtype.
    visible_BxTxS: bool.
    bias_BxHxTxS: float32, broadcastable, added to the scores; or None.
    dropout: applied to the weights; or None.
  """
  scale = q_BxTxHxK.shape[-1] ** -0.5
  score_BxHxTxS = jnp.einsum(
    "BTHK,BSHK->BHTS", q_BxTxHxK, k_BxSxHxK, preferred_element_type=jnp.float32
  )
  score_BxHxTxS = score_BxHxTxS * scale
  if bias_BxHxTxS is not None:
    score_BxHxTxS = score_BxHxTxS + bias_BxHxTxS
  weight_BxHxTxS = _softmax(score_BxHxTxS, visible_BxTxS[:, None])
  if dropout is not None:
    weight_BxHxTxS = dropout(weight_BxHxTxS)
  return jnp.einsum(
    "BHTS,BSHK->BTHK", weight_BxHxTxS.astype(v_BxSxHxK.dtype), v_BxSxHxK
  )


def heads_first(x_BxSxGxK: Array) -> Array:
  """Returns keys or values in the layout of a cache: [B * G, S, K]."""
  length, size = x_BxSxGxK.shape[1], x_BxSxGxK.shape[3]
  return x_BxSxGxK.transpose(0, 2, 1, 3).reshape(-1, length, size)


def attend_to_cache(
  q_BxTxHxK: Array,
  k_NxSxK: Array,
  v_NxSxK: Array,
  visible_BxTxS: Array,
  bias_BxHxTxS: Array | None = None,
  prefix: tuple[Array, Array] | None = None,
) -> Array:
  """Computes `plain` with the keys and values of a cache: [B, T, H, K].

  It is for few queries. N = B * G: a group of query heads reads its keys in
  place, and products of exactly this shape let XLA's CPU backend write a token
  into the cache in place. With any other shape it copies the whole cache for
  each token, several times.

  prefix: see `prepend_keys`; or None.
  """
  batch, length, heads, size = q_BxTxHxK.shape
  n, total = k_NxSxK.shape[:2]
  q_NxRxK = (q_BxTxHxK.transpose(0, 2, 1, 3) * size**-0.5).reshape(n, -1, size)
  score_NxRxS = jnp.einsum(
    "NRK,NSK->NRS", q_NxRxK, k_NxSxK, preferred_element_type=jnp.float32
  )
  score_BxHxTxS = score_NxRxS.reshape(batch, heads, length, total)
  if bias_BxHxTxS is not None:
    score_BxHxTxS = score_BxHxTxS + bias_BxHxTxS
  first = 0
  if prefix is not None:
    first = prefix[0].shape[0]
    rows = q_NxRxK.shape[1]
    score_BxGxRxP = jnp.einsum(
      "BGRK,PGK->BGRP",
      q_NxRxK.reshape(batch, -1, rows, size),
      prefix[0],
      preferred_element_type=jnp.float32,
    )
    score_BxHxTxP = score_BxGxRxP.reshape(batch, heads, length, first)
    score_BxHxTxS = jnp.concatenate([score_BxHxTxP, score_BxHxTxS], axis=3)
    visible_BxTxS = _pad_front(visible_BxTxS, first, True)
  weight_BxHxTxS = _softmax(score_BxHxTxS, visible_BxTxS[:, None])
  weight_NxRxS = weight_BxHxTxS.reshape(n, -1, first + total)
  weight_NxRxS = weight_NxRxS.astype(v_NxSxK.dtype)
  out_NxRxK = jnp.einsum("NRS,NSK->NRK", weight_NxRxS[..., first:], v_NxSxK)
  if prefix is not None:
    weight_BxGxRxP = weight_NxRxS[..., :first].reshape(batch, -1, rows, first)
    out_BxGxRxK = jnp.einsum("BGRP,PGK->BGRK", weight_BxGxRxP, prefix[1])
    out_NxRxK = out_NxRxK + out_BxGxRxK.reshape(out_NxRxK.shape)
  out_BxHxTxK = out_NxRxK.reshape(batch, heads, length, size)
  return out_BxHxTxK.transpose(0, 2, 1, 3)


def prepend_keys(
  prefix: tuple[Array, Array],
  k_BxSxHxK: Array,
  v_BxSxHxK: Array,
  visible_BxTxS: Array,
  bias_BxHxTxS: Array | None,
) -> tuple[Array, Array, Array, Array | None]:
  """Returns the arguments of `plain` with prepended keys that all tokens see.

  Args:
    prefix: keys and values [P, G, K] of the compute dtype, the same for all
      rows; they get no bias.
    k_BxSxHxK, v_BxSxHxK, visible_BxTxS, bias_BxHxTxS: of `plain`.
  """
  batch, _, heads, _ = k_BxSxHxK.shape
  first = prefix[0].shape[0]

  def before(x_PxGxK: Array, x_BxSxHxK: Array) -> Array:
    x_1xPxHxK = repeat_heads(x_PxGxK[None], heads)
    x_BxPxHxK = jnp.broadcast_to(x_1xPxHxK, (batch, *x_1xPxHxK.shape[1:]))
    return jnp.concatenate([x_BxPxHxK, x_BxSxHxK], axis=1)

  if bias_BxHxTxS is not None:
    bias_BxHxTxS = _pad_front(bias_BxHxTxS, first, 0.0)
  return (
    before(prefix[0], k_BxSxHxK),
    before(prefix[1], v_BxSxHxK),
    _pad_front(visible_BxTxS, first, True),
    bias_BxHxTxS,
  )


def _pad_front(x: Array, count: int, value: bool | float) -> Array:
  """Prepends `count` equal elements along the last axis."""
  room = [(0, 0)] * (x.ndim - 1) + [(count, 0)]
  return jnp.pad(x, room, constant_values=value)


def _softmax(score_BxHxTxS: Array, visible_Bx1xTxS: Array) -> Array:
  """Computes weights over the visible keys; zeros if there are none."""
  score_BxHxTxS = jnp.where(visible_Bx1xTxS, score_BxHxTxS, -jnp.inf)
  top_BxHxTx1 = jnp.max(score_BxHxTxS, axis=-1, keepdims=True)
  top_BxHxTx1 = jax.lax.stop_gradient(
    jnp.where(jnp.isfinite(top_BxHxTx1), top_BxHxTx1, 0.0)
  )
  weight_BxHxTxS = jnp.exp(score_BxHxTxS - top_BxHxTx1)
  sum_BxHxTx1 = jnp.sum(weight_BxHxTxS, axis=-1, keepdims=True)
  return weight_BxHxTxS / jnp.where(sum_BxHxTx1 > 0, sum_BxHxTx1, 1)


def can_block(mask: str, length: int) -> bool:
  """Returns whether the blocked kernel takes this mask and length."""
  return mask == "causal" and BLOCK < length <= LONGEST and length % BLOCK == 0


@jax.custom_vjp
def blocked_causal(
  q_BxTxHxK: Array, k_BxTxHxK: Array, v_BxTxHxK: Array, segment_BxT: Array
) -> Array:
  """Computes causal attention within segments, by blocks: [B, T, H, K].

  It equals `plain` where ranks grow with the index. Each block of 64
  queries reads only the keys up to its end. The weights are kept for the
  backward pass, before they are divided by their sums: half of T x T a head.
  For long rows `sparse_attention` keeps none. T must be a multiple of 64.
  """
  return _forward(q_BxTxHxK, k_BxTxHxK, v_BxTxHxK, segment_BxT)[0]


def by_head(x_BxTxHxK: Array) -> Array:
  """Swaps [B, T, H, K] and [B, H, T, K]."""
  return x_BxTxHxK.transpose(0, 2, 1, 3)


def _scores(q, k, segment_BxT, start: int):
  """Computes masked float32 scores [B, H, 64, end] of the block at `start`."""
  end = start + BLOCK
  score = jnp.einsum(
    "BHTK,BHSK->BHTS",
    q[:, :, start:end],
    k[:, :, :end],
    preferred_element_type=jnp.float32,
  )
  index = jnp.arange(end)
  seen = index[None, None, :] <= index[None, start:, None]
  seen = seen & (segment_BxT[:, start:end, None] == segment_BxT[:, None, :end])
  return jnp.where(seen[:, None], score, -jnp.inf)


def _forward(q_BxTxHxK, k_BxTxHxK, v_BxTxHxK, segment_BxT):
  scale = q_BxTxHxK.shape[-1] ** -0.5
  q = by_head(q_BxTxHxK) * jnp.asarray(scale, q_BxTxHxK.dtype)
  k, v = by_head(k_BxTxHxK), by_head(v_BxTxHxK)
  outs, totals, weights = [], [], []
  for start in range(0, q.shape[2], BLOCK):
    score = _scores(q, k, segment_BxT, start)
    # A token sees at least itself, so the maximum is finite.
    top = jnp.max(score, axis=-1, keepdims=True)
    weight = jnp.exp(score - top)
    total = jnp.sum(weight, axis=-1, keepdims=True)
    weight = weight.astype(v.dtype)
    end = start + BLOCK
    out = jnp.einsum("BHTS,BHSK->BHTK", weight, v[:, :, :end])
    outs.append(out / total.astype(out.dtype))
    totals.append(total)
    weights.append(weight)
  out = jnp.concatenate(outs, axis=2)
  total = jnp.concatenate(totals, axis=2)
  return by_head(out), (q, k, v, out, total, weights)


def _backward(saved, grad_BxTxHxK):
  q, k, v, out, total, weights = saved
  scale = q.shape[-1] ** -0.5
  # The weights lack the division by their total: the gradient has it.
  grad = (by_head(grad_BxTxHxK) / total).astype(q.dtype)
  delta = jnp.sum((grad * out).astype(jnp.float32), axis=-1, keepdims=True)
  length = q.shape[2]
  grad_q, grad_k, grad_v = [], jnp.zeros_like(k), jnp.zeros_like(v)
  for start, weight in zip(range(0, length, BLOCK), weights, strict=True):
    end = start + BLOCK
    block = slice(start, end)
    grad_weight = jnp.einsum(
      "BHTK,BHSK->BHTS",
      grad[:, :, block],
      v[:, :, :end],
      preferred_element_type=jnp.float32,
    )
    grad_score = weight * (grad_weight - delta[:, :, block])
    grad_score = grad_score.astype(q.dtype)
    grad_q.append(
      jnp.einsum("BHTS,BHSK->BHTK", grad_score, k[:, :, :end]) * scale
    )
    rest = ((0, 0), (0, 0), (0, length - end), (0, 0))
    grad_k = grad_k + jnp.pad(
      products.over_queries(grad_score, q[:, :, block], q.dtype), rest
    )
    grad_v = grad_v + jnp.pad(
      products.over_queries(weight, grad[:, :, block], q.dtype), rest
    )
  whole_q = jnp.concatenate(grad_q, axis=2).astype(q.dtype)
  grads = (by_head(x) for x in (whole_q, grad_k, grad_v))
  return (*grads, None)


blocked_causal.defvjp(_forward, _backward)


def repeat_heads(x_BxSxGxK: Array, heads: int) -> Array:
  """Repeats each of G key heads for heads / G query heads (grouped queries)."""
  groups = x_BxSxGxK.shape[2]
  if groups == heads:
    return x_BxSxGxK
  return jnp.repeat(x_BxSxGxK, heads // groups, axis=2)


@functools.partial(jax.jit, static_argnames=("buckets", "farthest", "both"))
def relative_bucket(
  distance: Array, buckets: int, farthest: int, both: bool
) -> Array:
  """Computes T5's bucket of key position - query position: int32.

  Raffel et al. 2020, section 2.1: half of the buckets are exact, the others
  grow logarithmically up to `farthest`; `both` halves them by direction.
  """
  offset = jnp.zeros_like(distance)
  if both:
    buckets //= 2
    offset = jnp.where(distance > 0, buckets, 0)
    distance = jnp.abs(distance)
  else:
    distance = -jnp.minimum(distance, 0)
  exact = buckets // 2
  large = jnp.log(jnp.maximum(distance, 1) / exact) / jnp.log(farthest / exact)
  large = exact + (large * (buckets - exact)).astype(jnp.int32)
  large = jnp.minimum(large, buckets - 1)
  return offset + jnp.where(distance < exact, distance, large)


def alibi_slopes(heads: int) -> list[float]:
  """Computes 2^(-8 h / H) for h = 1 .. H (Press et al. 2022, section 3).

  If H is no power of two, the released code takes the slopes of the next lower
  power and every other slope of the next higher.
  """
  power = 1 << (heads.bit_length() - 1)
  slopes = [2.0 ** (-8.0 * (i + 1) / power) for i in range(power)]
  if power < heads:
    finer = [2.0 ** (-4.0 * (i + 1) / power) for i in range(2 * power)]
    slopes += finer[0::2][: heads - power]
  return slopes
