"""Arrays that go straight from a file to the devices they are for."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import jax
import numpy as np

from lm_jax.hugging_face.safetensors_reader import aligned_empty


def place(
  read: Callable[[tuple[slice, ...]], np.ndarray],
  shape: Sequence[int],
  dtype: np.dtype,
  sharding: jax.sharding.Sharding,
) -> jax.Array:
  """A jax array whose shards are read one by one, each once.

  Returns when everything is on the devices, so that no two tensors are on
  the host at once. On a CPU what was read becomes the array itself if it is
  contiguous, aligned (as Weights.read gives it) and of `dtype`; else it is
  copied into an array that is, and let go.

  Args:
    read: gives the part of the array that the slices ask for, and does not
      touch it afterwards.
    shape: of the whole array.
    dtype: wanted; what is read is cast to it, within its kind.
    sharding: of the array.

  Raises:
    ValueError: what is read is not of the shape that was asked for.
    TypeError: it is of another kind than `dtype` (floats for integers).
  """
  shape, dtype = tuple(shape), np.dtype(dtype)
  parts: dict[tuple, np.ndarray] = {}

  def part(index: tuple[slice, ...] | None) -> np.ndarray:
    index = index or ()
    bounds = tuple(
      x.indices(size)[:2] for x, size in zip(index, shape, strict=True)
    )
    if bounds not in parts:  # replicas share what was read
      parts[bounds] = _prepared(
        read(index), tuple(b - a for a, b in bounds), dtype
      )
    return parts[bounds]

  array = jax.make_array_from_callback(shape, sharding, part, dtype=dtype)
  return jax.block_until_ready(array)


def _prepared(
  data: np.ndarray, shape: tuple[int, ...], dtype: np.dtype
) -> np.ndarray:
  """The data as jax takes it over without a copy of its own."""
  if data.shape != shape:
    raise ValueError(f"{data.shape} was read where {shape} was asked for")
  if data.dtype == dtype and data.flags.c_contiguous:
    return data
  out = aligned_empty(shape, dtype)
  np.copyto(out, data, casting="same_kind")
  return out
