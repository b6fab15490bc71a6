"""XLNet's attention and its memory against their definition."""

import dataclasses
import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import stack
import toy
import xlnet_reference

from lm_jax.models import relative_attention
from lm_jax.models.relative_attention import RelativeAttention
from lm_jax.types import NEVER

T, D = stack.T, stack.BASE.width


def _trunk(**options):
  return stack.like(positions="xlnet", **options)


def _params(trunk):
  """Large enough that every summand of the score matters."""
  stream = stack.stream("full")
  x_NxD = jnp.zeros((stream.tokens_BxT.size, trunk.width))
  init = RelativeAttention(trunk).init
  shapes = jax.eval_shape(init, jax.random.key(0), x_NxD, stream)
  return toy.draw(nn.meta.unbox(shapes)["params"], scale=0.5)


def _states(length, seed=3):
  rng = np.random.default_rng(seed)
  return np.float32(rng.standard_normal((2, length, D)))


@functools.partial(jax.jit, static_argnums=(0, 1))
def _run(trunk, window, params, x_BxTxD, stream, past_BxMxD=None):
  layer = RelativeAttention(trunk, window)
  x_NxD = x_BxTxD.reshape(-1, D)
  out_NxD = layer.apply({"params": params}, x_NxD, stream, past_BxMxD)
  return out_NxD.reshape(x_BxTxD.shape)


def _check(trunk, window, params, x_BxTxD, stream, past_BxMxD=None):
  found = _run(trunk, window, params, x_BxTxD, stream, past_BxMxD)
  exact = jax.tree.map(lambda x: np.asarray(x, np.float64), params)
  for b in range(2):
    past = None if past_BxMxD is None else np.float64(past_BxMxD[b])
    x = np.float64(x_BxTxD[b])
    expected = xlnet_reference.attention(
      trunk, exact, x, stream, b, window, past
    )
    np.testing.assert_allclose(found[b], expected, atol=2e-5)
    assert np.std(expected) > 0.5  # there is something to compare


def test_parameters_are_these():
  shapes = jax.tree.map(np.shape, _params(_trunk()))
  kernel = {"kernel": (D, D)}
  assert shapes == {
    **dict.fromkeys(("query", "key", "value", "position", "out"), kernel),
    **dict.fromkeys(
      ("content_bias", "position_bias", "segment_bias"), (2, D // 2)
    ),
    "segment_embedding": (2, 2, D // 2),
  }
  shapes = jax.tree.map(np.shape, _params(_trunk(bias=True)))
  assert shapes["query"]["bias"] == (D,)
  assert "bias" not in shapes["position"]  # position_bias is enough


@pytest.mark.parametrize("memory", [0, 1, 4])
@pytest.mark.parametrize("mask", ["full", "causal", "ranked"])
def test_layer_is_the_definition(mask, memory):
  trunk, stream = _trunk(), stack.stream(mask)
  past_BxMxD = _states(memory, seed=4) if memory else None
  for one in (stream, dataclasses.replace(stream, type_BxT=None)):
    _check(trunk, 0, _params(trunk), _states(T), one, past_BxMxD)


@pytest.mark.parametrize(
  "options",
  [
    {"heads": 4, "kv_heads": 2},
    {"head_width": 6, "bias": True},
    {"attention_scaling": False},
    {"window": 3},
  ],
)
def test_options_of_attention_hold_here(options):
  options = dict(options)
  window = options.pop("window", 0)
  trunk, stream = _trunk(**options), stack.stream("ranked")
  _check(trunk, window, _params(trunk), _states(T), stream, _states(2))


def test_no_gradient_from_what_is_invisible_nor_into_memory():
  trunk, stream = _trunk(), stack.stream("ranked")

  @jax.jit
  def jacobians(params, x_BxTxD, past_BxMxD):
    def of(x_BxTxD, past_BxMxD):
      return RelativeAttention(trunk).apply(
        {"params": params}, x_BxTxD.reshape(-1, D), stream, past_BxMxD
      )

    return jax.jacrev(of, argnums=(0, 1))(x_BxTxD, past_BxMxD)

  to_x, to_past = jacobians(_params(trunk), _states(T), _states(3, seed=4))
  assert not np.any(to_past)
  # Of token [b, t] by token [c, s].
  reached = np.asarray(to_x).reshape(2, T, D, 2, T, D).any(axis=(2, 5))
  itself = np.eye(T, dtype=bool)
  for b in range(2):
    segment, rank = stream.segment_BxT[b], stream.query_rank_BxT[b]
    seen = segment[:, None] == segment[None]
    seen = seen & (stream.key_rank_BxT[b][None] <= rank[:, None])
    np.testing.assert_array_equal(reached[b, :, b] | itself, seen | itself)
    assert not reached[b, :, 1 - b].any()


def test_packed_segments_are_rows_of_their_own():
  trunk, stream = _trunk(), stack.stream("full")
  params, x_BxTxD = _params(trunk), _states(T)
  found = _run(trunk, 0, params, x_BxTxD, stream)
  for segment in (1, 2):
    at = np.flatnonzero(stream.segment_BxT[0] == segment)
    alone = jax.tree.map(lambda x, at=at: x[:1, at], stream)
    np.testing.assert_allclose(
      _run(trunk, 0, params, x_BxTxD[:1, at], alone), found[:1, at], atol=1e-5
    )


def test_padding_in_front_is_as_good_as_behind():
  trunk, stream, x_BxTxD = _trunk(), stack.stream("full"), _states(T)
  params, row = _params(trunk), jax.tree.map(lambda x: x[1:], stream)
  left = jax.tree.map(lambda x: np.roll(x, 2, axis=1), row)
  found = _run(trunk, 0, params, x_BxTxD[1:], row)
  rolled = np.roll(x_BxTxD[1:], 2, axis=1)
  rolled = _run(trunk, 0, params, rolled, left)
  np.testing.assert_allclose(rolled[:, 2:], found[:, :-2], atol=1e-5)


def _whole_rows():
  index = np.tile(np.arange(T, dtype=np.int32), (2, 1))
  return dataclasses.replace(
    stack.stream("causal"),
    segment_BxT=np.ones_like(index),
    position_BxT=index,
    type_BxT=None,
  )


@functools.partial(jax.jit, static_argnums=0)
def _remember(trunk, params, stream, past):
  network = stack.network(trunk)
  hidden = nn.apply(
    lambda net: net.hidden(stream, past=past),
    network,
    mutable=["intermediates"],
  )
  return hidden({"params": params})


@pytest.mark.parametrize(
  "options",
  [
    {"norm_placement": "post"},
    {"layers": 3, "sharing": (0, 1, 0), "remat": "full"},
  ],
)
def test_segments_with_a_memory_are_one_text(options):
  """Where no token sees a later one, and memory is long enough."""
  trunk, whole = _trunk(**options), _whole_rows()
  params = stack.params(trunk)
  expected, _ = stack.run(trunk, params, whole, None)
  past, found = (), []
  for start, stop in ((0, 3), (3, 7), (7, T)):
    part = jax.tree.map(lambda x, a=start, b=stop: x[:, a:b], whole)
    part = dataclasses.replace(part, position_BxT=part.position_BxT - start)

    states, read = _remember(trunk, params, part, past)
    found.append(states)
    past = relative_attention.memories(read, trunk, past)
  np.testing.assert_allclose(np.concatenate(found, axis=1), expected, atol=1e-4)
  assert [x.shape for x in past] == [(2, T, D)] * trunk.layers


def test_memory_holds_the_last_states_of_content():
  trunk = _trunk(layers=1)
  one, two = _states(4), _states(5, seed=4)
  attention = {"attention": {"states": (jnp.asarray(two),)}}
  read = {"intermediates": {"stack_main": {"blocks": {"layer_0": attention}}}}
  (kept,) = relative_attention.memories(read, trunk, (one,), 3, longest=4)
  np.testing.assert_array_equal(
    kept, np.concatenate([one[:, -1:], two[:, :3]], axis=1)
  )


@pytest.mark.parametrize(
  "options", [{"scan": True}, {"positions": "rotary"}, {"layers": 3}]
)
def test_memory_that_does_not_fit_is_refused(options):
  trunk = dataclasses.replace(_trunk(), **options)
  hidden = nn.apply(
    lambda net: net.hidden(_whole_rows(), past=(_states(2),) * 2),
    stack.network(trunk),
  )
  with pytest.raises(ValueError, match="2 memories for"):
    hidden({"params": stack.params(trunk)})


def test_query_tokens_start_from_a_vector_of_their_own():
  trunk = _trunk(architecture="encoder", query_embedding=True)
  stream = stack.stream("ranked")
  key_rank_BxT = stream.key_rank_BxT.copy()
  key_rank_BxT[:, 2] = NEVER
  stream = dataclasses.replace(stream, key_rank_BxT=key_rank_BxT)
  other = dataclasses.replace(stream, tokens_BxT=stream.tokens_BxT.copy())
  other.tokens_BxT[:, 2] += 1
  params = stack.params(trunk)
  _, logits = stack.run(trunk, params, stream, None)
  np.testing.assert_array_equal(
    stack.run(trunk, params, other, None)[1], logits
  )
  params["embedder_main"]["query_embedding"] += 1
  _, moved = stack.run(trunk, params, stream, None)
  changed = np.any(np.asarray(moved != logits), axis=-1)
  np.testing.assert_array_equal(changed, np.tile(np.arange(T) == 2, (2, 1)))
