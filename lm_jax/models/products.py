"""Computes matrix products whose gradients are fast on every backend.

XLA's CPU backend has a fast product for [M, K] x [K, N] and [M, K] x [N, K],
with batch dimensions or without. A gradient x^T g is of neither kind and falls
back to another product, slower by a tenth to three quarters. Transposing an
operand first pays there; other backends are left alone.
"""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp
from jax.ad_checkpoint import checkpoint_name
from jax.custom_derivatives import SymbolicZero

from lm_jax.types import Array

# The name of the results for policies of rematerialization, which cannot see
# into a function with a custom gradient.
NAME = "product"


def product(x_NxI: Array, kernel_IxO: Array) -> Array:
  """Computes x W: [N, O], in the dtype of both."""
  return checkpoint_name(_product(x_NxI, kernel_IxO), NAME)


@jax.custom_vjp
def _product(x_NxI, kernel_IxO):
  return x_NxI @ kernel_IxO


def _forward(x_NxI, kernel_IxO):
  """Saves what the gradients need; a fixed operand has no gradient."""
  x, kernel = x_NxI.value, kernel_IxO.value
  saved = (
    x if kernel_IxO.perturbed else None,
    kernel if x_NxI.perturbed else None,
  )
  return _product(x, kernel), saved


def _backward(saved, grad_NxO):
  x_NxI, kernel_IxO = saved
  grad_x = grad_kernel = None
  if isinstance(grad_NxO, SymbolicZero):
    return grad_x, grad_kernel
  if kernel_IxO is not None:
    grad_x = grad_NxO @ kernel_IxO.T
  if x_NxI is not None:
    if grad_x is not None and _is_cpu():
      # One after the other: each of them fills the caches and all cores.
      grad_x, grad_NxO = _barrier((grad_x, grad_NxO))
    grad_kernel = over_rows(x_NxI, grad_NxO, x_NxI.dtype)
  return grad_x, grad_kernel


_product.defvjp(_forward, _backward, symbolic_zeros=True)


def over_rows(x_NxI: Array, y_NxO: Array, dtype: Any) -> Array:
  """Computes x^T y: [I, O], summed over N in `dtype`."""
  if not _is_cpu():
    return _contract(x_NxI, y_NxO, 0, dtype)
  if x_NxI.shape[1] <= y_NxO.shape[1]:  # Transposes the smaller one.
    return _contract(_barrier(x_NxI.T), y_NxO, 1, dtype)
  return _barrier(_contract(_barrier(y_NxO.T), x_NxI, 1, dtype)).T


def over_queries(weight_BxHxTxS: Array, x_BxHxTxK: Array, dtype: Any) -> Array:
  """Computes weight^T x, head by head: [B, H, S, K], summed over T."""
  product = functools.partial(jnp.einsum, preferred_element_type=dtype)
  if not _is_cpu():
    return product("BHTS,BHTK->BHSK", weight_BxHxTxS, x_BxHxTxK)
  turned_BxHxSxT = _barrier(jnp.swapaxes(weight_BxHxTxS, 2, 3))
  return product("BHST,BHTK->BHSK", turned_BxHxSxT, x_BxHxTxK)


def weighted_sums(x_NxD: Array, weight_D: Array) -> Array:
  """Computes sum_d x_d w_d of each row: [N, 1], float32.

  On a CPU a matrix product is faster.
  """
  return _weighted_sums(x_NxD, weight_D, _is_cpu())


@functools.partial(jax.jit, static_argnums=2)
def _weighted_sums(x_NxD, weight_D, by_product: bool):
  if by_product:
    return x_NxD @ weight_D[:, None]
  return jnp.sum(x_NxD * weight_D, axis=-1, keepdims=True)


def _contract(x: Array, y_NxO: Array, axis: int, dtype: Any) -> Array:
  dimensions = (((axis,), (0,)), ((), ()))
  return jax.lax.dot_general(x, y_NxO, dimensions, preferred_element_type=dtype)


def _barrier(x: Any) -> Any:
  """Keeps XLA from merging a transposition into the next product."""
  return jax.lax.optimization_barrier(x)


def _is_cpu() -> bool:
  return jax.default_backend() == "cpu"
