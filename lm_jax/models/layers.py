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
from lm_jax.models import attention, products, sparse_attention
from lm_jax.models.cache import KEPT, Cache, LayerCache
from lm_jax.types import Array, Stream, Trunk


def parameter(module, name, initializer, shape, axes) -> Array:
  """Declares a float32 parameter with logical axis names."""
  boxed = nn.with_logical_partitioning(initializer, axes)
  return module.param(name, boxed, shape, jnp.float32)


class Dense(nn.Module):
  """Linear layer x W + b, flat: [N, in] -> [N, out].

  adaptation: may replace x W; None does not.
  """

  features: int
  axes: tuple[str | None, str | None]
  bias: bool
  dtype: str
  initializer_range: float
  adaptation: Any = None

  @nn.compact
  def __call__(self, x_NxI: Array) -> Array:
    kernel_IxO = parameter(
      self,
      "kernel",
      nn.initializers.normal(self.initializer_range),
      (x_NxI.shape[-1], self.features),
      self.axes,
    )
    y_NxO = products.product(
      x_NxI.astype(self.dtype), kernel_IxO.astype(self.dtype)
    )
    if self.adaptation is not None:
      y_NxO = self.adaptation.projected(self, x_NxI, kernel_IxO, y_NxO)
    if self.bias:
      bias_O = parameter(
        self, "bias", nn.initializers.zeros, (self.features,), self.axes[1:]
      )
      y_NxO = y_NxO + bias_O.astype(self.dtype)
    return y_NxO


# Names in Trunk.bias_except of the projections of a layer.
GROUPS = {
  "query": "qkv",
  "key": "qkv",
  "value": "qkv",
  "out": "out",
  "up": "up",
  "gate": "up",
  "down": "down",
}


def dense(trunk: Trunk, features: int, axes, name: str, **kwargs) -> Dense:
  """Makes a projection with the trunk's options."""
  excepted = GROUPS.get(name) in trunk.bias_except
  kwargs.setdefault("bias", trunk.bias != excepted)
  kwargs.setdefault("initializer_range", trunk.initializer_range)
  kwargs.setdefault("adaptation", trunk.adaptation)
  return Dense(features, axes, dtype=trunk.dtype, name=name, **kwargs)


def rotate(
  x_BxTxHxK: Array,
  position_BxT: Array,
  base: float,
  scaling: tuple[float, ...] = (),
) -> Array:
  """Applies rotary positions (Su et al. 2021, equation 34), halves paired."""
  half = x_BxTxHxK.shape[-1] // 2
  frequency_K = rotary_frequencies(half, base, scaling)
  angle = position_BxT[:, :, None, None] * frequency_K[None, None, None, :]
  cos = jnp.cos(angle).astype(x_BxTxHxK.dtype)
  sin = jnp.sin(angle).astype(x_BxTxHxK.dtype)
  a, b = x_BxTxHxK[..., :half], x_BxTxHxK[..., half:]
  return jnp.concatenate([a * cos - b * sin, b * cos + a * sin], axis=-1)


def rotary_frequencies(
  half: int, base: float, scaling: tuple[float, ...] = ()
) -> Array:
  """Computes radians per position, float32 [half]: base^(-k / half).

  Args:
    half: half of the width of a head.
    base: of the wavelengths.
    scaling: () changes nothing; (factor,) divides all (Chen et al. 2023);
      (factor, low, high, length) divides frequencies whose wavelength exceeds
      length / low, keeps those below length / high, and interpolates between
      (LLaMA 3.1).
  """
  frequency_K = base ** (-jnp.arange(half, dtype=jnp.float32) / half)
  if not scaling:
    return frequency_K
  if len(scaling) == 1:
    return frequency_K / scaling[0]
  factor, low, high, length = scaling
  turns_K = length * frequency_K / (2 * jnp.pi)  # within the old length
  kept_K = jnp.clip((turns_K - low) / (high - low), 0, 1)
  return frequency_K * (kept_K + (1 - kept_K) / factor)


def sinusoid(position_BxT: Array, width: int, fairseq: bool = False) -> Array:
  """Sinusoidal positions (Vaswani et al. 2017, section 3.5), sines first.

  `fairseq` spaces the wavelengths as the released code of M2M-100 (Fan et al.
  2020) does: the longest is 2 pi 10000.
  """
  half = width // 2
  steps = max(half - 1, 1) if fairseq else half
  frequency = 10000.0 ** (-jnp.arange(half, dtype=jnp.float32) / steps)
  angle = position_BxT[:, :, None] * frequency[None, None, :]
  return jnp.concatenate([jnp.sin(angle), jnp.cos(angle)], axis=-1)


class RelativeBias(nn.Module):
  """T5's learned bias by bucketed distance, shared by the layers."""

  trunk: Trunk

  @nn.compact
  def __call__(self, stream: Stream, keys: Stream) -> Array:
    """Computes the bias, float32 [B, H, T, S], of keys [B, S]."""
    trunk = self.trunk
    table_RxH = parameter(
      self,
      "relative_bias",
      nn.initializers.normal(trunk.initializer_range),
      (trunk.relative_buckets, trunk.heads),
      (None, "heads"),
    )
    # A prefix_decoder also reads streams that happen to be causal (a score
    # from left to right): its buckets must mean the same there.
    both = stream.mask != "causal" or trunk.architecture == "prefix_decoder"
    bucket_BxTxS = attention.relative_bucket(
      distances(stream, keys),
      trunk.relative_buckets,
      trunk.relative_distance,
      both,
    )
    return table_RxH[bucket_BxTxS].transpose(0, 3, 1, 2)


def distances(stream: Stream, keys: Stream) -> Array:
  """Computes key position - query position: int32 [B, T, S]."""
  return keys.position_BxT[:, None, :] - stream.position_BxT[:, :, None]


def alibi_bias(stream: Stream, keys: Stream, heads: int) -> Array:
  """Computes -slope * |distance|: float32 [B, H, T, S] (Press et al. 2022)."""
  slope_H = jnp.array(attention.alibi_slopes(heads))
  distance = jnp.abs(distances(stream, keys))[:, None].astype(jnp.float32)
  return -slope_H[None, :, None, None] * distance


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
        trunk,
        count * size,
        ("embed", axis),
        name,
        initializer_range=spread,
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
