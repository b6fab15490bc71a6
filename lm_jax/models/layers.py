"""Implements the layers; position-wise ones read flat tokens [N, D].

N = B * T: XLA's CPU backend transposes operands of rank three in the backward
pass of a projection, and no backend loses by flat ones. Parameters carry
logical axis names, which lm_jax/devices/sharding.py maps to the mesh.
"""

from __future__ import annotations

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from lm_jax import visibility
from lm_jax.models import attention, sparse_attention
from lm_jax.models.cache import KEPT, Cache, LayerCache
from lm_jax.models.dense import dense
from lm_jax.models.positions import distances, rotate
from lm_jax.types import Array, Stream, Trunk


class Attention(nn.Module):
  """Multi-head attention of a stream to itself or to a source.

  Keys and values are sown, for the cache (lm_jax/models/cache.py).

  window: keys at this distance or further are not seen; 0 sees all.
  depth: number of its layer, from 1.
  """

  trunk: Trunk
  window: int = 0
  depth: int = 1

  @nn.compact
  def __call__(
    self,
    x_NxD: Array,
    stream: Stream,
    bias: Array | None,
    memory_MxD: Array | None = None,
    source: Stream | None = None,
    deterministic: bool = True,
    kept: LayerCache | None = None,
    cache: Cache | None = None,
    shared: Any = None,
  ) -> Array:
    """Computes states [N, D].

    Args:
      x_NxD: states of the stream's tokens, flat.
      stream: [B, T].
      bias: [B, H, T, S], added to the scores; or None.
      memory_MxD: the encoder's states of the tokens of `source`; or None.
      source: [B, S'], tokens that cross-attention reads.
      deterministic: no dropout of the weights.
      kept: cache of this layer. In self-attention it has room for the stream's
        tokens at cache.index; in cross-attention it is complete and replaces
        memory_MxD.
      cache: with the slots of `kept`.
      shared: what all layers share of the trunk's adaptation.
    """
    trunk = self.trunk
    heads, groups = trunk.heads, trunk.kv_heads or trunk.heads
    size = trunk.head_width or trunk.width // heads
    batch, length = stream.tokens_BxT.shape

    def project(x, count, name, axis):
      spread = trunk.initializer_range
      if name == "query" and not trunk.attention_scaling:
        spread *= size**-0.5  # Raffel et al. 2020, released code.
      y = dense(
        trunk, count * size, ("embed", axis), name, initializer_range=spread
      )(x)
      return y.reshape(batch, -1, count, size)

    cross = source is not None
    q = project(x_NxD, heads, "query", "heads")
    k = v = None
    if not cross or kept is None:
      memory_MxD = memory_MxD if cross else x_NxD
      k = project(memory_MxD, groups, "key", "kv_heads")
      v = project(memory_MxD, groups, "value", "kv_heads")
    if not trunk.attention_scaling:  # The kernels divide by it.
      q = q * jnp.asarray(size**0.5, q.dtype)
    if trunk.depth_scaling:
      q = q * jnp.asarray(1 / self.depth, q.dtype)
    if trunk.positions == "rotary" and not cross:
      local = trunk.local_rotary_base if self.window else 0
      base = local or trunk.rotary_base
      q = rotate(q, stream.position_BxT, base, trunk.rotary_scaling)
      k = rotate(k, stream.position_BxT, base, trunk.rotary_scaling)
    prefix = None
    if trunk.adaptation is not None and not cross:
      prefix = trunk.adaptation.prefix(trunk, shared)
    if kept is not None and cache is not None:
      out = self.attend_to_cache(
        q, k, v, stream, bias, source, kept, cache, prefix
      )
      out_NxE = out.reshape(batch * length, heads * size)
      return dense(trunk, trunk.width, ("heads", "embed"), "out")(out_NxE)
    self.sow("intermediates", KEPT, (k, v))
    k = attention.repeat_heads(k, heads)
    v = attention.repeat_heads(v, heads)
    dropout = None
    if trunk.attention_dropout and not deterministic:
      dropout = nn.Dropout(trunk.attention_dropout, deterministic=False)
    is_plain = bias is not None or dropout is not None or prefix is not None
    kernel = "plain" if is_plain or self.window else self.kernel(stream, source)
    if kernel == "blocked":
      out = attention.blocked_causal(q, k, v, stream.segment_BxT)
    elif kernel == "sparse":
      out = sparse_attention.sparse(q, k, v, masks(stream, stream, source))
    else:
      seen = self.visible(stream, stream, source)
      if prefix is not None:
        k, v, seen, bias = attention.prepend_keys(prefix, k, v, seen, bias)
      out = attention.plain(q, k, v, seen, bias, dropout)
    out_NxE = out.reshape(batch * length, heads * size)
    return dense(trunk, trunk.width, ("heads", "embed"), "out")(out_NxE)

  def attend_to_cache(
    self, q, k, v, stream, bias, source, kept, cache, prefix
  ) -> Array:
    """Attends to the cache and to the stream itself: [B, T, H, K]."""
    if source is None:
      start = (jnp.int32(0), cache.slot, jnp.int32(0))
      new = LayerCache(attention.heads_first(k), attention.heads_first(v))
      kept = LayerCache(
        jax.lax.dynamic_update_slice(kept.keys, new.keys, start),
        jax.lax.dynamic_update_slice(kept.values, new.values, start),
      )
      self.sow("intermediates", KEPT, tuple(kept))
    seen = self.visible(stream, cache.slots, source)
    return attention.attend_to_cache(
      q, kept.keys, kept.values, seen, bias, prefix
    )

  def kernel(self, stream: Stream, source: Stream | None) -> str:
    """Chooses the kernel of lm_jax/models, of those that apply."""
    wanted = self.trunk.attention
    length = stream.tokens_BxT.shape[1]
    keys = length if source is None else source.tokens_BxT.shape[1]
    able = {
      "blocked": source is None and attention.can_block(stream.mask, length),
      "sparse": sparse_attention.can_skip(length, keys),
    }
    if wanted == "plain" or able.get(wanted):
      return wanted
    if wanted == "auto" and jax.default_backend() != "cpu":
      return "plain"
    if able["sparse"] and length >= sparse_attention.WORTH:
      return "sparse"
    return "blocked" if able["blocked"] else "plain"

  def visible(
    self, stream: Stream, keys: Stream, source: Stream | None
  ) -> Array:
    """Returns which keys, or tokens of a source, each token may see: bool."""
    seen = visibility.visible(*masks(stream, keys, source))
    if source is None and self.window:
      seen = seen & (jnp.abs(distances(stream, keys)) < self.window)
    return seen


def masks(
  stream: Stream, keys: Stream, source: Stream | None
) -> sparse_attention.Mask:
  """Segments and ranks of queries and keys.

  In cross-attention only segments count.
  """
  if source is not None:
    return sparse_attention.Mask(
      stream.segment_BxT,
      jnp.zeros_like(stream.segment_BxT),
      source.segment_BxT,
      jnp.zeros_like(source.segment_BxT),
    )
  return sparse_attention.Mask(
    stream.segment_BxT,
    stream.query_rank_BxT,
    keys.segment_BxT,
    keys.key_rank_BxT,
  )


ACTIVATIONS = {
  "gelu": lambda x: jax.nn.gelu(x, approximate=False),
  "gelu_tanh": lambda x: jax.nn.gelu(x, approximate=True),
  "relu": jax.nn.relu,
  "silu": jax.nn.silu,
  "tanh": jnp.tanh,
}
# Shazeer 2020, with the gates of the released models.
GATED = {
  "swiglu": "silu",
  "geglu": "gelu_tanh",
  "geglu_exact": "gelu",
  "reglu": "relu",
}


def activation(trunk: Trunk, name: str = ""):
  """Returns the activation of that name, or the trunk's, or of its gate."""
  name = name or trunk.activation
  return ACTIVATIONS[GATED.get(name, name)]


class FeedForward(nn.Module):
  """Two projections and a non-linearity, or three with a gate."""

  trunk: Trunk

  @nn.compact
  def __call__(self, x_NxD: Array) -> Array:
    trunk, axes = self.trunk, ("embed", "mlp")
    y_NxF = dense(trunk, trunk.feedforward, axes, "up")(x_NxD)
    if trunk.activation in GATED:
      gate_NxF = dense(trunk, trunk.feedforward, axes, "gate")(x_NxD)
      y_NxF = activation(trunk)(gate_NxF) * y_NxF
    else:
      y_NxF = activation(trunk)(y_NxF)
    return dense(trunk, trunk.width, ("mlp", "embed"), "down")(y_NxF)
