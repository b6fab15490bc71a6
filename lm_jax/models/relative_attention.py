"""Implements attention by content, distance and token type (XLNet)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from lm_jax import visibility
from lm_jax.models import attention
from lm_jax.models.cache import read_sown
from lm_jax.models.dense import dense, parameter
from lm_jax.models.positions import sinusoid
from lm_jax.types import Array, Stream, Trunk


class RelativeAttention(nn.Module):
  """Multi-head self-attention by distances instead of positions.

  The score of query i and key j is, per head,

    ((q_i + u) k_j + (q_i + v) W r(p_i - p_j) + (q_i + w) s_ij) / sqrt(K)

  with r sinusoidal and s one of two vectors, for tokens of one type or of
  two; u, v, w, s and W are learned. Dai et al. 2019 (Transformer-XL), section
  3.3; Yang et al. 2019 (XLNet), section 2.5, for the last summand, which is
  present only where the stream has token types.

  A memory holds the states of earlier tokens that this layer read (`memories`).
  They are at positions -M .. -1 and of type 0, and all tokens of a segment > 0
  see all of them; so a row that continues from a memory should hold one
  segment. No gradient flows into it.

  window: keys at this distance or further are not seen; 0 sees all.
  """

  trunk: Trunk
  window: int = 0

  @nn.compact
  def __call__(
    self,
    x_NxD: Array,
    stream: Stream,
    past_BxMxD: Array | None = None,
    deterministic: bool = True,
  ) -> Array:
    """Computes states [N, D], N = B * T; sows the ones it read as "states".

    Args:
      x_NxD: states of the stream's tokens.
      stream: [B, T]. Its positions are below T and count the tokens of a
        segment; larger distances are clipped.
      past_BxMxD: the memory, or None for M = 0. There are S = M + T keys.
      deterministic: no dropout of the weights.
    """
    trunk = self.trunk
    heads, groups = trunk.heads, trunk.kv_heads or trunk.heads
    size = trunk.head_width or trunk.width // heads
    batch, length = stream.tokens_BxT.shape

    def project(x_RxD, count, name, axis, **options):
      layer = dense(trunk, count * size, ("embed", axis), name, **options)
      return layer(x_RxD).reshape(-1, count, size)

    def rows(x_RxHxK):
      return x_RxHxK.reshape(batch, -1, *x_RxHxK.shape[1:])

    def vectors(name, *shape):
      initializer = nn.initializers.normal(trunk.initializer_range)
      axes = (*(None for _ in shape), "heads", None)
      shape = (*shape, heads, size)
      return parameter(self, name, initializer, shape, axes).astype(trunk.dtype)

    self.sow("intermediates", "states", rows(x_NxD))
    memory, keys_RxD = 0, x_NxD
    if past_BxMxD is not None:
      memory = past_BxMxD.shape[1]
      past_BxMxD = jax.lax.stop_gradient(past_BxMxD).astype(x_NxD.dtype)
      keys_BxSxD = jnp.concatenate([past_BxMxD, rows(x_NxD)], axis=1)
      keys_RxD = keys_BxSxD.reshape(-1, trunk.width)
    q_NxHxK = project(x_NxD, heads, "query", "heads")
    k_BxSxGxK = rows(project(keys_RxD, groups, "key", "kv_heads"))
    v_BxSxGxK = rows(project(keys_RxD, groups, "value", "kv_heads"))
    # All possible distances, once for all rows.
    apart_R = jnp.arange(1 - length, memory + length)
    wave_RxD = sinusoid(apart_R[None], trunk.width)[0].astype(trunk.dtype)
    r_RxHxK = project(wave_RxD, heads, "position", "heads", bias=False)

    distance_BxTxS = distances(stream, memory)
    bias_BxHxTxS = position_scores(
      rows(q_NxHxK + vectors("position_bias")[None]), r_RxHxK, distance_BxTxS
    )
    w_HxK, s_2xHxK = vectors("segment_bias"), vectors("segment_embedding", 2)
    if stream.type_BxT is not None:
      bias_BxHxTxS += type_scores(
        rows(q_NxHxK + w_HxK[None]), s_2xHxK, stream.type_BxT, memory
      )
    q_NxHxK = q_NxHxK + vectors("content_bias")[None]
    if trunk.attention_scaling:
      bias_BxHxTxS *= size**-0.5
    else:  # The kernel divides by it.
      q_NxHxK *= size**0.5
    dropout = None
    if trunk.attention_dropout and not deterministic:
      dropout = nn.Dropout(trunk.attention_dropout, deterministic=False)
    seen_BxTxS = visible(stream, memory)
    if self.window:
      seen_BxTxS &= jnp.abs(distance_BxTxS) < self.window
    out_BxTxHxK = attention.plain(
      rows(q_NxHxK),
      attention.repeat_heads(k_BxSxGxK, heads),
      attention.repeat_heads(v_BxSxGxK, heads),
      seen_BxTxS,
      bias_BxHxTxS,
      dropout,
    )
    out_NxE = out_BxTxHxK.reshape(batch * length, heads * size)
    return dense(trunk, trunk.width, ("heads", "embed"), "out")(out_NxE)


def position_scores(
  q_BxTxHxK: Array, r_RxHxK: Array, distance_BxTxS: Array
) -> Array:
  """Computes q_i r(distance_ij), float32 [B, H, T, S].

  Positions may restart and repeat, so distances are looked up. On a CPU that
  took no more time, in both passes, than the shift by rows, which is enough
  where positions count the stream (Dai et al. 2019, appendix B).

  Args:
    q_BxTxHxK: queries.
    r_RxHxK: of the distances 1 - T, ..., 0, ..., R - T.
    distance_BxTxS: int32, of each query and key.
  """
  score_BxHxTxR = jnp.einsum(
    "BTHK,RHK->BHTR", q_BxTxHxK, r_RxHxK, preferred_element_type=jnp.float32
  )
  index_Bx1xTxS = distance_BxTxS[:, None] + q_BxTxHxK.shape[1] - 1
  return jnp.take_along_axis(score_BxHxTxR, index_Bx1xTxS, axis=3, mode="clip")


def type_scores(
  q_BxTxHxK: Array, s_2xHxK: Array, type_BxT: Array, memory: int
) -> Array:
  """Computes q_i s_ij, float32 [B, H, T, S].

  s_2xHxK: for equal and different types.
  """
  score_2xBxHxTx1 = jnp.sum(
    q_BxTxHxK[None] * s_2xHxK[:, None, None], axis=-1, dtype=jnp.float32
  ).transpose(0, 1, 3, 2)[..., None]
  key_type_BxS = jnp.pad(type_BxT, ((0, 0), (memory, 0)))
  same_BxTxS = type_BxT[:, :, None] == key_type_BxS[:, None, :]
  return jnp.where(same_BxTxS[:, None], *score_2xBxHxTx1)


def distances(stream: Stream, memory: int) -> Array:
  """Computes query position - key position: int32 [B, T, S].

  Positions of the memory are negative.
  """
  position_BxT = stream.position_BxT
  before_BxM = jnp.broadcast_to(
    jnp.arange(-memory, 0, dtype=jnp.int32), (position_BxT.shape[0], memory)
  )
  position_BxS = jnp.concatenate([before_BxM, position_BxT], axis=1)
  return position_BxT[:, :, None] - position_BxS[:, None, :]


def visible(stream: Stream, memory: int) -> Array:
  """Returns whether token i may attend to key j: bool [B, T, S].

  The memory comes first.
  """
  seen_BxTxT = visibility.visible(
    stream.segment_BxT,
    stream.query_rank_BxT,
    stream.segment_BxT,
    stream.key_rank_BxT,
  )
  real_BxTx1 = stream.segment_BxT[:, :, None] > 0
  seen_BxTxM = jnp.broadcast_to(real_BxTx1, (*stream.segment_BxT.shape, memory))
  return jnp.concatenate([seen_BxTxM, seen_BxTxT], axis=2)


def memories(
  variables: Mapping[str, Any],
  trunk: Trunk,
  past: Sequence[Array] = (),
  content: int | None = None,
  longest: int = 0,
) -> tuple[Array, ...]:
  """Returns the states that the layers read, as the next memory.

  Yang et al. 2019, section 2.4. No gradient flows into it. It is for the next
  call of `Network.hidden`, which must have been called once, under
  `flax.linen.apply(..., mutable=["intermediates"])`.

  Args:
    variables: the second result of that call.
    trunk: of the stack "main"; without a scan.
    past: the memory of that call, [B, M, D] for each layer.
    content: number of tokens before the query tokens; None: there are no query
      tokens.
    longest: number of states to keep; 0 keeps all.
  """
  read = read_sown(variables, trunk, "attention", "states")
  kept = []
  for i, states_BxTxD in enumerate(x[:, :content] for x in read):
    if past:
      states_BxTxD = jnp.concatenate([past[i], states_BxTxD], axis=1)
    kept.append(jax.lax.stop_gradient(states_BxTxD[:, -longest:]))
  return tuple(kept)
