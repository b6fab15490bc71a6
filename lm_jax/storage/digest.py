"""Computes digests of arrays on their devices, for any sharding."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from lm_jax.types import Array

PyTree = Any

_SMALL = 2**22  # bytes of an array whose digest is computed on the host


def digest(tree: PyTree) -> str:
  """Hashes names, shapes, dtypes and bits of all leaves: 64 hex digits.

  It is computed on the device and is the same for every sharding.
  """
  return sha256(record(flatten(tree)))


def flatten(tree: PyTree) -> dict[str, Any]:
  """Returns the leaves by their dotted paths, in the tree's order."""
  leaves = jax.tree_util.tree_leaves_with_path(tree)
  named = {
    jax.tree_util.keystr(path, simple=True, separator="."): leaf
    for path, leaf in leaves
  }
  if len(named) != len(leaves):
    raise ValueError("two leaves have the same dotted path")
  return named


def sha256(value: Any) -> str:
  text = json.dumps(value, sort_keys=True)
  return hashlib.sha256(text.encode()).hexdigest()


def record(leaves: Mapping[str, Array]) -> dict[str, list]:
  """Returns shape, dtype and digest (16 hex digits) of every leaf, for JSON."""
  # One after the other: with several CPU devices in each of several processes,
  # programs in flight together can wait for each other's collectives for ever.
  sums = {name: _sums(leaf) for name, leaf in leaves.items()}
  return {
    name: [
      list(leaf.shape),
      str(leaf.dtype),
      "".join(f"{int(x):08x}" for x in sums[name]),
    ]
    for name, leaf in leaves.items()
  }


def _sums(x: Array) -> tuple[Any, Any]:
  """Computes two uint32 sums over the elements' bits and their positions.

  Sums of integers that wrap do not depend on their order, and so not on the
  sharding.
  """
  here = isinstance(x, jax.Array) and len(x.devices()) == 1
  if not here or x.nbytes > _SMALL:
    return jax.device_get(_device_sums(x))
  # Without a program, whose compilation for each shape would take longer.
  host = np.asarray(x)
  bits = host.view(f"uint{8 * min(4, host.dtype.itemsize)}").ravel()
  index = np.arange(bits.size, dtype=np.uint32)
  first, second = _mixed(bits.astype(np.uint32), index)
  return first.sum(dtype=np.uint32), second.sum(dtype=np.uint32)


@jax.jit
def _device_sums(x: Array) -> tuple[Array, Array]:
  if x.dtype == jnp.bool:
    x = x.astype(jnp.uint8)
  bits = jax.lax.bitcast_convert_type(x, f"uint{min(32, 8 * x.dtype.itemsize)}")
  index = jnp.zeros(bits.shape, jnp.uint32)
  for axis, size in enumerate(bits.shape):
    index = index * size + jax.lax.broadcasted_iota(
      jnp.uint32, bits.shape, axis
    )
  # Both in one pass, so that nothing of the array's size is held besides it.
  zero = jnp.uint32(0)
  return jax.lax.reduce(
    _mixed(bits.astype(jnp.uint32), index),
    (zero, zero),
    lambda a, b: (a[0] + b[0], a[1] + b[1]),
    tuple(range(bits.ndim)),
  )


def _mixed(bits: Any, index: Any) -> tuple[Any, Any]:
  """Mixes uint32 bits of elements with their positions, of NumPy or JAX.

  One element's mix is a bijection (the finalizer of MurmurHash3, Appleby
  2011), so that a change to one element always shows. Odd weights are
  invertible: the second of the two shows any one change as well.
  """
  mixed = bits ^ (index * np.uint32(0x9E3779B9))
  for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
    mixed = (mixed ^ (mixed >> np.uint32(shift))) * np.uint32(factor)
  mixed ^= mixed >> np.uint32(16)
  return mixed, mixed * (np.uint32(2) * index + np.uint32(1))
