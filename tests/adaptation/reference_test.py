"""Each method against a formula in float64 NumPy, gradients included."""

import dataclasses

import adapting
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import toy
from flax.traverse_util import flatten_dict, unflatten_dict

from lm_jax import layout
from lm_jax.adaptation import adapter as adapter_lib
from lm_jax.models.dense import Dense
from lm_jax.models.layers import Attention
from lm_jax.models.network import Network
from lm_jax.types import Stream, Trunk

ROWS, IN, OUT = 7, 6, 5


def _draw(*shape, seed=0):
  return np.random.default_rng([seed, *shape]).standard_normal(shape)


def _dense(adaptation, name="query"):
  return Dense(
    OUT, ("embed", "heads"), True, "float32", 0.02, adaptation, name=name
  )


class _Net(nn.Module):
  adaptation: object

  @nn.compact
  def __call__(self, x):
    return _dense(self.adaptation)(x)


@pytest.mark.parametrize("method", ["lora", "dora"])
def test_low_rank_updates_and_their_gradients(method):
  """y = m (x W + s x A B) / n + b with n the norms, which have no gradient."""
  adaptation = adapting.make(method, targets=("query",))
  x, w, bias = _draw(ROWS, IN), _draw(IN, OUT), _draw(OUT)
  a, b = _draw(IN, 3), _draw(3, OUT)
  m, pull = _draw(OUT, seed=1) + 2, _draw(ROWS, OUT, seed=1)
  scale = 6.0 / 3
  whole = w + scale * a @ b
  norm = np.sqrt((whole**2).sum(axis=0))
  if method == "lora":
    m = norm = np.ones(OUT)
  expected = m * (x @ whole) / norm + bias
  # Of sum(pull * y).
  inner = pull * m / norm
  wanted = {
    "down.kernel": scale * x.T @ inner @ b.T,
    "up.kernel": scale * (x @ a).T @ inner,
    "magnitude.scale": (pull * (x @ whole) / norm).sum(axis=0),
    "x": inner @ whole.T,
  }
  own = {"down.kernel": a, "up.kernel": b}
  if method == "dora":
    own["magnitude.scale"] = m
  params = {"query.kernel": w, "query.bias": bias} | {
    f"query.adaptation.{name}": value for name, value in own.items()
  }
  params = unflatten_dict(
    {name: jnp.float32(v) for name, v in params.items()}, sep="."
  )

  def loss(params, x):
    with jax.default_matmul_precision("highest"):
      y = _Net(adaptation).apply({"params": params}, x)
    return jnp.sum(y * pull), y

  gradient = jax.grad(loss, argnums=(0, 1), has_aux=True)
  (grads, grad_x), y = gradient(params, jnp.float32(x))
  np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-5)
  np.testing.assert_allclose(grad_x, wanted["x"], rtol=1e-4, atol=1e-4)
  grads = flatten_dict(grads, sep=".")
  for name in own:
    np.testing.assert_allclose(
      grads[f"query.adaptation.{name}"],
      wanted[name],
      rtol=1e-4,
      atol=1e-4,
      err_msg=name,
    )
  # Merged, it is one matrix.
  flat = adaptation.merged(flatten_dict(params, sep="."))
  assert set(flat) == {"query.kernel", "query.bias"}
  np.testing.assert_allclose(
    flat["query.kernel"], m * whole / norm, rtol=1e-5, atol=1e-5
  )


def test_a_column_of_zeros_stays_one():
  """Its norm is 0, and so is the magnitude that it starts with."""
  dora = adapting.make("dora", targets=("query",))
  x = jnp.ones((1, IN))
  params = nn.meta.unbox(_Net(dora).init(jax.random.key(0), x)["params"])
  kernel = params["query"]["kernel"].at[:, 1].set(0.0)
  params["query"]["kernel"] = kernel
  size = params["query"]["adaptation"]["magnitude"]["scale"]
  params["query"]["adaptation"]["magnitude"]["scale"] = size.at[1].set(0.0)
  y = _Net(dora).apply({"params": params}, x)
  assert np.isfinite(y).all() and y[0, 1] == 0
  flat = dora.merged(flatten_dict(params, sep="."))
  assert np.isfinite(flat["query.kernel"]).all()


def test_only_targets_are_adapted():
  adaptation = adapting.make("lora", targets=("value",))
  params = _Net(adaptation).init(jax.random.key(0), jnp.ones((1, IN)))
  assert set(params["params"]["query"]) == {"kernel", "bias"}


def test_dropout_is_on_what_the_update_reads_alone():
  adaptation = adapting.make("lora", targets=("query",), dropout=0.5)
  x = jnp.ones((1, IN))
  quiet = _Net(adaptation.without_dropout())
  params = nn.meta.unbox(quiet.init(jax.random.key(0), x)["params"])
  keys = jax.random.split(jax.random.key(1), 8)

  def run(params, key):
    net = _Net(adaptation)
    return net.apply({"params": params}, x, rngs={"dropout": key})

  # B is 0: what is dropped is not seen.
  first = quiet.apply({"params": params}, x)
  for key in keys[:2]:
    np.testing.assert_array_equal(run(params, key), first)
  up = jnp.ones_like(params["query"]["adaptation"]["up"]["kernel"])
  params["query"]["adaptation"]["up"]["kernel"] = up
  assert len({float(run(params, key).sum()) for key in keys}) > 1


def test_an_adapter_is_a_bottleneck_with_a_skip():
  layer = adapter_lib.Bottleneck(3, "relu", "float32")
  y, down, up = _draw(ROWS, IN), _draw(IN, 3), _draw(3, IN)
  b, c = _draw(3), _draw(IN)
  params = {
    "down": {"kernel": down, "bias": b},
    "up": {"kernel": up, "bias": c},
  }
  params = jax.tree.map(jnp.float32, params)
  found = layer.apply({"params": params}, jnp.float32(y))
  expected = y + np.maximum(y @ down + b, 0) @ up + c
  np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


TRUNK = Trunk(
  layers=1,
  width=8,
  heads=2,
  kv_heads=1,
  feedforward=16,
  vocabulary=31,
  positions="none",
  bias=True,
)


@pytest.mark.parametrize("mask", ["full", "causal"])
def test_a_prefix_is_keys_and_values_that_every_token_sees(mask):
  adaptation = adapting.make("p_tuning_v2", tokens=3)
  trunk = dataclasses.replace(TRUNK, adaptation=adaptation)
  layer = Attention(trunk)
  segment = jnp.array([[1, 1, 1, 2, 2]])
  stream = layout.stream(segment, segment, mask)
  x = _draw(5, 8)
  shapes = jax.eval_shape(layer.init, jax.random.key(0), x, stream, None)
  params = toy.draw(nn.meta.unbox(shapes["params"]), scale=1.0)
  found = layer.apply({"params": params}, jnp.float32(x), stream, None)
  p = jax.tree.map(np.float64, params)

  def project(name):
    return x @ p[name]["kernel"] + p[name]["bias"]

  q = project("query").reshape(5, 2, 4)
  keys = np.concatenate([p["adaptation"]["key"], project("key")])
  values = np.concatenate([p["adaptation"]["value"], project("value")])
  out = np.zeros((5, 2, 4))
  for i in range(5):
    seen = [0, 1, 2]
    for j in range(5):
      together = segment[0, i] == segment[0, j]
      if together and (mask == "full" or j <= i):
        seen.append(3 + j)
    for h in range(2):
      score = keys[seen] @ q[i, h] / 2
      weight = np.exp(score - score.max())
      out[i, h] = weight / weight.sum() @ values[seen]
  expected = out.reshape(5, 8) @ p["out"]["kernel"] + p["out"]["bias"]
  np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


def test_prefix_tuning_makes_the_prefix_by_one_network():
  """It is P-tuning v2 with the keys and values that its network gives."""
  trunk = dataclasses.replace(TRUNK, layers=2, vocabulary=31)
  tuned = adapting.make("prefix_tuning")
  network = Network((("main", trunk),), adaptation=tuned)
  stream = layout.stream(_tokens(), jnp.ones((2, 6), jnp.int32), "causal")
  flat = _drawn(network, stream)
  plain = {n: x for n, x in flat.items() if "adaptation" not in n}
  for i in range(2):
    layer = f"stack_main.blocks.layer_{i}"
    pair = tuned.values({n: np.asarray(x) for n, x in flat.items()}, layer)
    for j, name in enumerate(("key", "value")):
      plain[f"{layer}.attention.adaptation.{name}"] = jnp.asarray(pair[:, j])
  other = Network((("main", trunk),), adaptation=adapting.make("p_tuning_v2"))
  one, two = _hidden(network, flat, stream), _hidden(other, plain, stream)
  np.testing.assert_allclose(one, two, rtol=1e-4, atol=1e-5)
  # And it is seen at all.
  bare = {n: x for n, x in plain.items() if "adaptation" not in n}
  three = _hidden(Network((("main", trunk),)), bare, stream)
  assert np.abs(one - three).max() > 1e-2


def _drawn(network, *streams):
  """Random parameters of what `hidden` calls, by their paths."""

  def init(key):
    return network.init(key, *streams, method="hidden")

  shapes = jax.eval_shape(init, jax.random.key(0))["params"]
  return flatten_dict(toy.draw(nn.meta.unbox(shapes)), sep=".")


def _hidden(network, flat, *streams):
  """States of the streams, the parameters told by their paths."""

  def run(params, *streams):
    return network.apply({"params": params}, *streams, method="hidden")

  given = (unflatten_dict(flat, sep="."), *streams)
  return jax.jit(run)(*given)


def _tokens():
  return jnp.array([[3, 4, 5, 6, 7, 8], [9, 3, 10, 4, 11, 5]], jnp.int32)


@pytest.mark.parametrize(
  ("architecture", "positions"),
  [
    ("encoder", "learned"),
    ("causal_decoder", "rotary"),
    ("causal_decoder", "alibi"),
    ("encoder_decoder", "relative"),
  ],
)
def test_a_soft_prompt_is_tokens_before_the_text(architecture, positions):
  """A larger vocabulary, whose new tokens are written out, gives the same."""
  trunk = dataclasses.replace(
    TRUNK, architecture=architecture, positions=positions, max_positions=16
  )
  soft = adapting.make("soft_prompt", tokens=3)
  network = Network((("main", trunk),), adaptation=soft)
  large = Network((("main", dataclasses.replace(trunk, vocabulary=34)),))
  mask = "causal" if architecture == "causal_decoder" else "full"
  # A text with padding in front, and one with padding behind.
  segment = jnp.array([[0, 0, 1, 1, 1, 1], [1, 1, 1, 1, 1, 0]])
  text = layout.stream(_tokens(), segment, mask)
  prompt = jnp.broadcast_to(31 + jnp.arange(3), (2, 3))

  # The text keeps its order where padding does not stand in between.
  def row(i):
    real = np.flatnonzero(np.asarray(segment[i]))
    ids = jnp.concatenate([prompt[i], _tokens()[i, real]])[None]
    return layout.stream(ids.astype(jnp.int32), jnp.ones_like(ids), mask), real

  answer = layout.stream(
    _tokens()[:, :4], jnp.ones((2, 4), jnp.int32), "causal"
  )
  paired = architecture == "encoder_decoder"
  given = (answer, text) if paired else (text,)
  flat = _drawn(network, *given)
  found = _hidden(network, flat, *given)
  rows = flat.pop("embedder_main.adaptation_embedding")
  table = flat["embedder_main.embedding"]
  flat["embedder_main.embedding"] = jnp.concatenate([table, rows])
  for i in range(2):
    stream, real = row(i)
    one = jax.tree.map(lambda x, i=i: x[i : i + 1], answer)
    both = (one, stream) if paired else (stream,)
    expected = _hidden(large, flat, *both)[0]
    if not paired:
      np.testing.assert_allclose(
        found[i, real], expected[3:], rtol=1e-4, atol=1e-5
      )
    else:
      np.testing.assert_allclose(found[i], expected, rtol=1e-4, atol=1e-5)


def test_a_soft_prompt_comes_before_what_is_seen_both_ways():
  """In a stream of ranks the prompt sees no text, and all text sees it."""
  trunk = dataclasses.replace(TRUNK, architecture="prefix_decoder")
  soft = adapting.make("soft_prompt", tokens=3)
  ones = jnp.ones((1, 5), jnp.int32)
  rank = jnp.array([[0, 0, 1, 2, 3]])
  stream = layout.stream(ones, ones, "ranked", rank)
  laid_out, _ = soft.add_prompt(trunk, stream, None)
  assert isinstance(laid_out, Stream)
  seen = np.asarray(
    laid_out.key_rank_BxT[0][None] <= laid_out.query_rank_BxT[0][:, None]
  )
  assert not seen[:3, 3:].any()
  assert seen[3:, :3].all()
  assert (seen[:3, :3] == np.tri(3, dtype=bool)).all()
  assert laid_out.position_BxT.tolist() == [[0, 1, 2, 3, 4, 5, 6, 7]]
