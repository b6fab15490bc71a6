"""Counts on the device, exactly below 2^64."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np

from lm_jax.types import Array


def zero() -> Array:
  """Makes a counter on the device: uint32 [2], low and high limb.

  It is exact below 2^64 without 64-bit types (int32 wraps at 2^31 and float32
  stalls at 2^24).
  """
  return jnp.zeros(2, jnp.uint32)


def add(counter: Array, n: Array) -> Array:
  """Adds n, an int32 scalar that is not negative, to a counter."""
  low = counter[0] + jnp.asarray(n).astype(jnp.uint32)
  carry = (low < counter[0]).astype(jnp.uint32)
  return jnp.stack([low, counter[1] + carry])


def share(counter: Array, amount: int) -> Array:
  """Computes the fraction `counter / amount`, a float32 scalar, inside jit.

  So a schedule can follow a budget of tokens or targets, which only the device
  knows, without a transfer to the host.
  """
  low, high = counter.astype(jnp.float32)
  return low / np.float32(amount) + high * np.float32(2**32 / amount)


def value(counter: Array) -> int:
  """Returns the count on the host; this waits for the device."""
  low, high = np.asarray(counter)
  return int(low) + (int(high) << 32)
