"""Computes attention only in blocks of the mask where tokens are visible.

It equals `attention.plain` for any segments and ranks (lm_jax/visibility.py),
but its time grows with what the mask allows: the T x S scores come in blocks,
blocks that no token sees are never computed, and only one block of scores is
held at a time (Dao et al. 2022, algorithms 1 and 4).
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp

from lm_jax.models import products
from lm_jax.models.attention import by_head
from lm_jax.types import Array

BLOCK = 128
# From this length on it is the faster kernel on a CPU, for packed rows or not.
WORTH = 1024


class Mask(NamedTuple):
  """Visibility: int32 arrays [B, T] of queries and of keys."""

  query_segment: Array
  query_rank: Array
  key_segment: Array
  key_rank: Array


def can_skip(length: int, keys: int) -> bool:
  """Returns whether the kernel takes these numbers of queries and keys."""
  return length % BLOCK == 0 and keys % BLOCK == 0


@jax.custom_vjp
def sparse(
  q_BxTxHxK: Array, k_BxSxHxK: Array, v_BxSxHxK: Array, mask: Mask
) -> Array:
  """Computes softmax(q k^T / sqrt(K)) v over visible keys: [B, T, H, K].

  T and S must be multiples of 128. A token that may attend to nothing outputs
  zeros. Scores and softmax are float32.
  """
  return _forward(q_BxTxHxK, k_BxSxHxK, v_BxSxHxK, mask)[0]


def _blocks(x_BxT: Array) -> Array:
  return x_BxT.reshape(x_BxT.shape[0], -1, BLOCK)


def needed(mask: Mask) -> tuple[Array, Array]:
  """Returns the first key block that each query block needs, and the end.

  Both are int32 [T / 128], for all rows together; the end is exclusive. A block
  between them may have no visible token; it is masked like the others.
  """
  segment_BxIx1, rank_BxIx1 = (
    _blocks(x)[:, :, None] for x in (mask.query_segment, mask.query_rank)
  )
  segment_Bx1xJ, rank_Bx1xJ = (
    _blocks(x)[:, None] for x in (mask.key_segment, mask.key_rank)
  )
  overlap_BxIxJ = (segment_BxIx1.min(-1) <= segment_Bx1xJ.max(-1)) & (
    segment_Bx1xJ.min(-1) <= segment_BxIx1.max(-1)
  )
  earlier_BxIxJ = rank_Bx1xJ.min(-1) <= rank_BxIx1.max(-1)
  some_IxJ = jnp.any(overlap_BxIxJ & earlier_BxIxJ, axis=0)
  count = some_IxJ.shape[1]
  first_I = jnp.argmax(some_IxJ, axis=1)
  end_I = count - jnp.argmax(some_IxJ[:, ::-1], axis=1)
  none_I = ~jnp.any(some_IxJ, axis=1)
  return (
    first_I.astype(jnp.int32),
    jnp.where(none_I, first_I, end_I).astype(jnp.int32),
  )


def _at(x: Array, block: Array, axis: int) -> Array:
  return jax.lax.dynamic_slice_in_dim(x, block * BLOCK, BLOCK, axis)


def _scores(q, k, mask: Mask, i: Array, j: Array) -> Array:
  """Computes masked float32 scores [B, H, 128, 128] of two blocks.

  k is not cut into blocks.
  """
  score = jnp.einsum(
    "BHTK,BHSK->BHTS", q, _at(k, j, 2), preferred_element_type=jnp.float32
  )
  seen = (
    _at(mask.query_segment, i, 1)[:, :, None]
    == _at(mask.key_segment, j, 1)[:, None]
  ) & (
    _at(mask.key_rank, j, 1)[:, None] <= _at(mask.query_rank, i, 1)[:, :, None]
  )
  return jnp.where(seen[:, None], score, -jnp.inf)


def _whole(x_IxBxHxTxK: Array) -> Array:
  """Joins blocks of queries again: [B, H, T, K]."""
  x = jnp.moveaxis(x_IxBxHxTxK, 0, 2)
  return x.reshape(*x.shape[:2], -1, x.shape[4])


def _forward(q_BxTxHxK, k_BxSxHxK, v_BxSxHxK, mask: Mask):
  scale = q_BxTxHxK.shape[-1] ** -0.5
  q = by_head(q_BxTxHxK) * jnp.asarray(scale, q_BxTxHxK.dtype)
  k, v = by_head(k_BxSxHxK), by_head(v_BxSxHxK)
  first_I, end_I = needed(mask)

  def of_queries(i):
    q_i = _at(q, i, 2)

    def of_keys(j, sums):
      out, top, total = sums
      score = _scores(q_i, k, mask, i, j)
      higher = jnp.maximum(top, score.max(axis=-1, keepdims=True))
      # Where nothing was visible yet both are -inf, and their difference NaN.
      finite = jnp.where(jnp.isfinite(higher), higher, 0.0)
      weight = jnp.exp(score - finite)
      kept = jnp.exp(top - finite)
      out = out * kept + jnp.einsum(
        "BHTS,BHSK->BHTK",
        weight.astype(v.dtype),
        _at(v, j, 2),
        preferred_element_type=jnp.float32,
      )
      return out, higher, total * kept + weight.sum(axis=-1, keepdims=True)

    one = q_i[..., :1].astype(jnp.float32)
    start = (
      jnp.zeros(q_i.shape, jnp.float32),
      jnp.full_like(one, -jnp.inf),
      jnp.zeros_like(one),
    )
    out, top, total = jax.lax.fori_loop(first_I[i], end_I[i], of_keys, start)
    total = jnp.where(total > 0, total, 1.0)
    # With this top, exp(score - top) is 0 where a token sees nothing.
    top = jnp.where(jnp.isfinite(top), top, 0.0)
    return (out / total).astype(v.dtype), top + jnp.log(total)

  out, lse = jax.lax.map(of_queries, jnp.arange(len(first_I)))
  out, lse = _whole(out), _whole(lse)
  return by_head(out), (q, k, v, mask, out, lse)


def _backward(saved, grad_BxTxHxK):
  q, k, v, mask, out, lse = saved
  scale = q.shape[-1] ** -0.5
  grad = by_head(grad_BxTxHxK)
  delta = jnp.sum((grad * out).astype(jnp.float32), axis=-1, keepdims=True)
  first_I, end_I = needed(mask)
  product = functools.partial(jnp.einsum, preferred_element_type=jnp.float32)
  over_queries = functools.partial(products.over_queries, dtype=jnp.float32)

  def add(x, j, more):
    return jax.lax.dynamic_update_slice_in_dim(
      x, _at(x, j, 2) + more, j * BLOCK, 2
    )

  def of_queries(sums, i):
    q_i, grad_i, lse_i, delta_i = (_at(x, i, 2) for x in (q, grad, lse, delta))

    def of_keys(j, sums):
      grad_q, grad_k, grad_v = sums
      weight = jnp.exp(_scores(q_i, k, mask, i, j) - lse_i)
      grad_weight = product("BHTK,BHSK->BHTS", grad_i, _at(v, j, 2))
      grad_score = (weight * (grad_weight - delta_i)).astype(q.dtype)
      return (
        grad_q + product("BHTS,BHSK->BHTK", grad_score, _at(k, j, 2)),
        add(grad_k, j, over_queries(grad_score, q_i)),
        add(grad_v, j, over_queries(weight.astype(q.dtype), grad_i)),
      )

    start = (jnp.zeros(q_i.shape, jnp.float32), *sums)
    grad_q, *sums = jax.lax.fori_loop(first_I[i], end_I[i], of_keys, start)
    return tuple(sums), grad_q * scale

  zeros = tuple(jnp.zeros(x.shape, jnp.float32) for x in (k, v))
  (grad_k, grad_v), grad_q = jax.lax.scan(
    of_queries, zeros, jnp.arange(len(first_I))
  )
  grads = (_whole(grad_q), grad_k, grad_v)
  return (*(by_head(x).astype(q.dtype) for x in grads), None)


sparse.defvjp(_forward, _backward)
