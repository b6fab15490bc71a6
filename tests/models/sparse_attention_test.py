"""Block-sparse attention against the plain kernel, for masks of any kind."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lm_jax import visibility
from lm_jax.models import attention, sparse_attention
from lm_jax.models.sparse_attention import BLOCK, Mask

HEADS, SIZE = 2, 8


def _segments(generator, rows: int, length: int) -> np.ndarray:
  """Documents of any length side by side, and padding behind them."""
  found = np.zeros((rows, length), np.int32)
  for row in found:
    cuts = np.sort(generator.choice(length, 5, replace=False))
    row[: cuts[-1]] = 1 + np.searchsorted(
      cuts[:-1], np.arange(cuts[-1]), "right"
    )
  return found


def _mask(kind: str, generator, rows: int, length: int) -> Mask:
  segment = _segments(generator, rows, length)
  rank = {
    "full": visibility.bidirectional(segment),
    "causal": visibility.causal(segment),
    "ranked": generator.integers(0, length, segment.shape, dtype=np.int32),
  }[kind]
  # As queries of permutation_lm: they see what comes before them alone.
  earlier = rank - 1 if kind == "ranked" else rank
  return Mask(*map(jnp.asarray, (segment, earlier, segment, rank)))


def _plain(q, k, v, mask: Mask):
  return attention.plain(q, k, v, visibility.visible(*mask))


def _value_and_gradients(function, q, k, v, mask, cotangent):
  out, pull = jax.vjp(lambda *args: function(*args, mask), q, k, v)
  return (out, *pull(cotangent))


@pytest.mark.parametrize("kind", ["full", "causal", "ranked"])
def test_it_is_plain_in_value_and_gradients(kind):
  generator = np.random.default_rng(len(kind))
  length = 4 * BLOCK
  mask = _mask(kind, generator, 2, length)
  q, k, v, cotangent = (
    jnp.float32(generator.standard_normal((2, length, HEADS, SIZE)))
    for _ in range(4)
  )
  found = _value_and_gradients(
    sparse_attention.sparse, q, k, v, mask, cotangent
  )
  want = _value_and_gradients(_plain, q, k, v, mask, cotangent)
  for a, b in zip(found, want, strict=True):
    np.testing.assert_allclose(a, b, rtol=0, atol=2e-5)


@pytest.mark.parametrize("kind", ["full", "causal", "ranked"])
def test_what_is_seen_lies_within_the_blocks_that_are_computed(kind):
  generator = np.random.default_rng(7)
  for _ in range(10):
    mask = _mask(kind, generator, 2, 6 * BLOCK)
    first, behind = map(np.asarray, sparse_attention.needed(mask))
    seen = np.asarray(visibility.visible(*mask)).any(axis=0)
    for i, (a, b) in enumerate(zip(first, behind, strict=True)):
      keys = np.flatnonzero(seen[i * BLOCK : (i + 1) * BLOCK].any(axis=0))
      if len(keys):
        assert a * BLOCK <= keys[0] and keys[-1] < b * BLOCK


def test_documents_apart_cost_a_block_each():
  segment = jnp.arange(8 * BLOCK)[None] // BLOCK + 1
  mask = Mask(segment, 0 * segment, segment, 0 * segment)
  first, behind = sparse_attention.needed(mask)
  np.testing.assert_array_equal(first, np.arange(8))
  np.testing.assert_array_equal(behind, np.arange(8) + 1)


def test_a_token_that_sees_nothing_outputs_zeros_and_has_no_gradient():
  generator = np.random.default_rng(3)
  shape = (1, BLOCK, HEADS, SIZE)
  q, k, v = (jnp.float32(generator.standard_normal(shape)) for _ in range(3))
  segment = jnp.ones((1, BLOCK), jnp.int32)
  rank = jnp.arange(BLOCK)[None]
  mask = Mask(segment, rank - 1, segment, rank)
  found = _value_and_gradients(
    sparse_attention.sparse, q, k, v, mask, jnp.ones(shape)
  )
  assert not found[0][:, 0].any() and not found[1][:, 0].any()
  assert all(bool(jnp.isfinite(x).all()) for x in found)


def test_it_is_as_near_in_bfloat16_as_plain_is():
  generator = np.random.default_rng(5)
  mask = _mask("causal", generator, 2, 2 * BLOCK)
  q, k, v, cotangent = (
    jnp.float32(generator.standard_normal((2, 2 * BLOCK, HEADS, SIZE)))
    for _ in range(4)
  )
  truth = _value_and_gradients(_plain, q, k, v, mask, cotangent)
  low = [x.astype(jnp.bfloat16) for x in (q, k, v)]
  args = (*low, mask, cotangent.astype(jnp.bfloat16))
  found = _value_and_gradients(sparse_attention.sparse, *args)
  plain = _value_and_gradients(_plain, *args)
  for exact, a, b in zip(truth, plain, found, strict=True):
    near, far = (
      float(jnp.abs(x.astype(jnp.float32) - exact).mean()) for x in (b, a)
    )
    assert near <= 1.2 * far
