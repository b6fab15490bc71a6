"""Implements LayerNorm and RMSNorm with a custom gradient."""

from __future__ import annotations

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp

from lm_jax.models import products
from lm_jax.models.dense import parameter
from lm_jax.types import Array, Trunk


class Norm(nn.Module):
  """LayerNorm (Ba et al. 2016) or RMSNorm (Zhang and Sennrich 2019)."""

  trunk: Trunk

  @nn.compact
  def __call__(self, x_NxD: Array) -> Array:
    trunk, width = self.trunk, x_NxD.shape[-1:]
    center = trunk.norm == "layernorm"
    ones, zeros = nn.initializers.ones, nn.initializers.zeros
    scale_D = parameter(self, "scale", ones, width, ("norm",))
    y_NxD = normalize(x_NxD, scale_D, center, trunk.norm_epsilon)
    if center and trunk.norm_bias:
      y_NxD = y_NxD + parameter(self, "bias", zeros, width, ("norm",))
    return y_NxD.astype(trunk.dtype)


@functools.partial(jax.custom_vjp, nondiff_argnums=(2, 3))
def normalize(
  x_NxD: Array, scale_D: Array, center: bool, epsilon: float
) -> Array:
  """Computes scale (x - m) / sqrt(mean((x - m)^2) + epsilon): float32 [N, D].

  Its gradient needs two sums of each row and x unchanged; JAX's own gradient
  takes more passes over [N, D].

  Args:
    x_NxD: of any dtype.
    scale_D: float32.
    center: m is the mean of a row; otherwise 0.
    epsilon: added to the variance.
  """
  return _forward(x_NxD, scale_D, center, epsilon)[0]


def _forward(x_NxD, scale_D, center: bool, epsilon: float):
  x = x_NxD.astype(jnp.float32)
  mean_Nx1 = jnp.mean(x, axis=-1, keepdims=True) if center else None
  x = _less(x, mean_Nx1)
  square_Nx1 = jnp.mean(jnp.square(x), axis=-1, keepdims=True)
  factor_Nx1 = jax.lax.rsqrt(square_Nx1 + epsilon)
  return x * factor_Nx1 * scale_D, (x_NxD, mean_Nx1, factor_Nx1, scale_D)


def _backward(center: bool, epsilon: float, saved, grad_NxD):
  """Computes the gradients of x and scale.

  With c = x - m, s the scale and f the factor, mean() over a row, sum() over
  rows: dx = f (s g - mean(s g) - c f mean(s g f c)), ds = sum(g f c).

  XLA would keep a product c f of the forward pass besides c.
  """
  x_NxD, mean_Nx1, factor_Nx1, scale_D = saved
  centered_NxD = _less(x_NxD.astype(jnp.float32), mean_Nx1)
  along_NxD = grad_NxD * factor_Nx1 * centered_NxD
  width = x_NxD.shape[-1]
  along_Nx1 = products.weighted_sums(along_NxD, scale_D) / width
  grad_x = scale_D * grad_NxD - centered_NxD * (factor_Nx1 * along_Nx1)
  if center:
    grad_x = grad_x - products.weighted_sums(grad_NxD, scale_D) / width
  grad_scale = jnp.sum(along_NxD, axis=0)
  return (factor_Nx1 * grad_x).astype(x_NxD.dtype), grad_scale


normalize.defvjp(_forward, _backward)


def _less(x_NxD: Array, mean_Nx1: Array | None) -> Array:
  return x_NxD if mean_Nx1 is None else x_NxD - mean_Nx1
