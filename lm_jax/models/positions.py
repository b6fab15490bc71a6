"""Positions of tokens: rotary, sinusoidal, relative and ALiBi."""

from __future__ import annotations

import flax.linen as nn
import jax.numpy as jnp

from lm_jax.models import attention
from lm_jax.models.dense import parameter
from lm_jax.types import Array, Stream, Trunk


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
