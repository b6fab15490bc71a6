import jax
import jax.numpy as jnp
import numpy as np
import pytest
import reference

from lm_jax.models import attention, layers, positions
from lm_jax.types import Stream, Trunk


def _draw(seed, *shapes):
  rng = np.random.default_rng(seed)
  return [rng.standard_normal(s).astype(np.float32) for s in shapes]


def _segments(length):
  """Two rows: packed segments, and one text with padding behind it."""
  index = np.arange(length)
  cuts = [length // 5, length // 2, length - 3]
  packed = 1 + sum((index >= cut).astype(np.int32) for cut in cuts)
  padded = (index < length - 5).astype(np.int32)
  return np.stack([packed, padded]).astype(np.int32)


def _causal(segment_BxT):
  length = segment_BxT.shape[1]
  past = np.tril(np.ones((length, length), bool))
  return past & (segment_BxT[:, :, None] == segment_BxT[:, None, :])


def _value_and_gradients(kernel, q, k, v, cotangent, *rest):
  def both(q, k, v):
    out, pull = jax.vjp(lambda *x: kernel(*x, *rest), q, k, v)
    return out, *pull(cotangent.astype(out.dtype))

  return [np.asarray(x, np.float32) for x in jax.jit(both)(q, k, v)]


@pytest.mark.parametrize("length", [64, 128, 192])
def test_blocked_is_plain_in_value_and_gradients(length):
  q, k, v, cotangent = _draw(length, *[(2, length, 2, 12)] * 4)
  segment_BxT = _segments(length)
  args = (q, k, v, cotangent)
  blocked = _value_and_gradients(
    attention.blocked_causal, *args, jnp.array(segment_BxT)
  )
  plain = _value_and_gradients(attention.plain, *args, _causal(segment_BxT))
  for found, expected in zip(blocked, plain, strict=True):
    np.testing.assert_allclose(found, expected, atol=1e-5, rtol=1e-5)


def test_blocked_in_bfloat16_is_as_near_to_float32_as_plain_is():
  # Both round weights and outputs to 8 bits, at different places: neither is
  # the other to the last bit, but both must err alike.
  q, k, v, cotangent = _draw(0, *[(2, 128, 2, 12)] * 4)
  segment_BxT = _segments(128)
  visible = _causal(segment_BxT)
  truth = _value_and_gradients(attention.plain, q, k, v, cotangent, visible)
  low = [x.astype(jnp.bfloat16) for x in (q, k, v)]
  plain = _value_and_gradients(attention.plain, *low, cotangent, visible)
  blocked = _value_and_gradients(
    attention.blocked_causal, *low, cotangent, jnp.array(segment_BxT)
  )
  for exact, a, b in zip(truth, plain, blocked, strict=True):
    error = np.abs(b - exact).mean()
    assert 0 < error < 1.5 * np.abs(a - exact).mean()
    assert error < 0.01 * np.abs(exact).max()


def test_the_blocked_kernel_is_offered_only_where_it_is_right():
  assert attention.can_block("causal", 128)
  for mask, length in [("full", 128), ("ranked", 128), ("causal", 100)]:
    assert not attention.can_block(mask, length)


def test_plain_is_a_float64_double_loop_even_where_nothing_is_seen():
  q, k, v = _draw(1, (2, 7, 3, 4), (2, 9, 3, 4), (2, 9, 3, 4))
  rng = np.random.default_rng(1)
  seen_BxTxS = rng.random((2, 7, 9)) < 0.4
  seen_BxTxS[0, 2], seen_BxTxS[1, 6] = False, False
  bias_BxHxTxS = 3 * rng.standard_normal((2, 3, 7, 9)).astype(np.float32)
  for bias in (None, bias_BxHxTxS):
    found = attention.plain(q, k, v, seen_BxTxS, bias)
    for b in range(2):
      expected = reference.attend(
        *(x[b].astype(np.float64) for x in (q, k, v)),
        seen_BxTxS[b],
        None if bias is None else bias[b],
      )
      np.testing.assert_allclose(found[b], expected, atol=2e-6)
    assert not np.any(found[0, 2])
    assert not np.any(found[1, 6])


def test_gradients_are_finite_where_nothing_is_seen_and_scores_are_huge():
  q, k, v = (100 * x for x in _draw(2, *[(1, 5, 1, 4)] * 3))
  seen_BxTxS = np.tril(np.ones((1, 5, 5), bool), -1)  # the first sees nothing

  def total(q, k, v):
    return jnp.sum(attention.plain(q, k, v, seen_BxTxS) * jnp.arange(4.0))

  grad_q, grad_k, grad_v = jax.grad(total, (0, 1, 2))(q, k, v)
  for grad in (grad_q, grad_k, grad_v):
    assert np.all(np.isfinite(grad))
  assert not np.any(grad_q[0, 0])  # it has no influence
  assert not np.any(grad_v[0, 4])  # it is seen by nobody


def test_dropout_acts_on_the_weights():
  q, k, v = _draw(3, *[(1, 4, 1, 4)] * 3)
  seen = np.ones((1, 4, 4), bool)
  kept = attention.plain(q, k, v, seen, None, lambda w: w.at[..., 1:].set(0))
  scores = np.einsum("bthk,bshk->bhts", q, k) / 2
  weights = np.exp(scores) / np.exp(scores).sum(-1, keepdims=True)
  expected = weights[0, 0, :, 0][:, None] * v[0, 0, 0]
  np.testing.assert_allclose(kept[0, :, 0], expected, rtol=1e-5)


def test_grouped_heads_are_repeated_in_order():
  x_BxSxGxK = np.arange(2 * 3 * 2 * 4).reshape(2, 3, 2, 4)
  out = attention.repeat_heads(jnp.array(x_BxSxGxK), 6)
  for head in range(6):
    np.testing.assert_array_equal(out[:, :, head], x_BxSxGxK[:, :, head // 3])


@pytest.mark.parametrize("both", [True, False])
@pytest.mark.parametrize(
  ("buckets", "farthest"), [(32, 128), (8, 20), (64, 256)]
)
def test_relative_buckets_are_those_of_a_scalar_port(buckets, farthest, both):
  distance = np.arange(-2 * farthest, 2 * farthest)
  found = attention.relative_bucket(distance, buckets, farthest, both)
  expected = [
    reference.relative_bucket(int(d), buckets, farthest, both) for d in distance
  ]
  np.testing.assert_array_equal(found, expected)
  # A distance above 0 is never 0, so that its first bucket stays unused.
  unused = {buckets // 2} if both else set()
  assert set(expected) == set(range(buckets)) - unused


def test_alibi_slopes():
  # Press et al. 2022, section 3: 1/2 .. 1/256 for 8 heads.
  eight = [2.0**-i for i in range(1, 9)]
  assert attention.alibi_slopes(8) == eight
  assert attention.alibi_slopes(4) == [2.0**-2, 2.0**-4, 2.0**-6, 2.0**-8]
  sixteen = [2.0 ** (-i / 2) for i in range(1, 17)]
  np.testing.assert_allclose(attention.alibi_slopes(16), sixteen)
  # Those of 8, and of 16 the first, third, fifth and seventh.
  np.testing.assert_allclose(attention.alibi_slopes(12), eight + sixteen[0:8:2])


def _stream(position_BxT, segment_BxT, mask="full", rank_BxT=None):
  rank = np.zeros_like(position_BxT) if rank_BxT is None else rank_BxT
  zero = np.zeros_like(position_BxT)
  return Stream(zero, position_BxT, segment_BxT, rank, rank, zero, mask)


def test_alibi_falls_with_the_distance_either_way():
  position = np.array([[0, 1, 2, 0, 5]])
  stream = _stream(position, np.ones_like(position))
  bias = positions.alibi_bias(stream, stream, 2)
  for head, slope in enumerate([2.0**-4, 2.0**-8]):
    for i, a in enumerate(position[0]):
      for j, b in enumerate(position[0]):
        assert bias[0, head, i, j] == -slope * abs(int(a) - int(b))


@pytest.mark.parametrize("window", [0, 1, 3])
@pytest.mark.parametrize("mask", ["full", "causal"])
def test_what_a_layer_sees_is_the_definition(window, mask):
  # Positions that start anew in a segment, and a padded end.
  segment_BxT = np.array([[1, 1, 1, 1, 1, 2, 2, 2, 0, 0]])
  position_BxT = np.array([[0, 1, 2, 3, 4, 0, 1, 2, 0, 0]])
  rank = np.arange(10)[None] if mask == "causal" else None
  stream = _stream(position_BxT, segment_BxT, mask, rank)
  layer = layers.Attention(Trunk(), window)
  np.testing.assert_array_equal(
    layer.visible(stream, stream, None)[0], reference.visible(stream, 0, window)
  )


def test_rotary_scores_depend_on_the_distance_only():
  q, k = _draw(4, (1, 1, 2, 8), (1, 1, 2, 8))

  def score(query_at, key_at):
    at = lambda x: jnp.full((1, 1), x)  # noqa: E731
    turned = (
      positions.rotate(q, at(query_at), 1e4),
      positions.rotate(k, at(key_at), 1e4),
    )
    return np.einsum("bthk,bthk->bh", *turned)

  for distance in (0, 1, 7, -5):
    first = score(10, 10 + distance)
    for start in (50, 400):
      np.testing.assert_allclose(
        score(start, start + distance), first, atol=2e-4
      )
  assert np.all(np.abs(score(0, 0) - score(0, 7)) > 1e-2)
  np.testing.assert_allclose(  # a turn keeps lengths
    np.linalg.norm(positions.rotate(q, jnp.full((1, 1), 33), 1e4)),
    np.linalg.norm(q),
    rtol=1e-6,
  )


@pytest.mark.parametrize(
  ("wanted", "length", "kernel"),
  [
    ("auto", 256, "blocked"),
    ("auto", 100, "plain"),
    ("auto", 1024, "sparse"),
    ("blocked", 2048, "sparse"),  # it would keep too many weights
    ("sparse", 192, "blocked"),  # no multiple of its blocks
    ("plain", 1024, "plain"),
  ],
)
def test_which_kernel_is_taken(wanted, length, kernel):
  tokens = jax.ShapeDtypeStruct((2, length), jnp.int32)
  stream = Stream(*(5 * [tokens]), mask="causal")
  module = layers.Attention(Trunk(attention=wanted))
  assert module.kernel(stream, None) == kernel
