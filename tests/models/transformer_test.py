"""The transformer against tests/reference.py, and its invariances."""

import dataclasses
import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import reference
import toy

from lm_jax import layout
from lm_jax.models.network import Network
from lm_jax.models.sizes import PRESETS
from lm_jax.types import Trunk, UsageError

BASE = Trunk(
  layers=2, width=16, heads=2, feedforward=24, vocabulary=31, max_positions=16
)
T, S = 10, 7


def _stream(mask, length=T, seed=0):
  """Two rows: a long and a short segment, and one with padding behind."""
  rng = np.random.default_rng(seed)
  index = np.arange(length)
  segment = np.stack([1 + (index >= length - 4), index < length - 2])
  segment = segment.astype(np.int32)
  rank = None
  if mask == "ranked":
    rank = rng.integers(0, 4, segment.shape).astype(np.int32)
  stream = layout.stream(
    rng.integers(0, BASE.vocabulary, segment.shape).astype(np.int32),
    jnp.array(segment),
    mask,
    rank,
    type_BxT=rng.integers(0, 2, segment.shape).astype(np.int32),
  )
  return jax.tree.map(np.asarray, stream)


def _inputs(trunk, length=T):
  """What the stack reads: inputs and source."""
  mask = {
    "encoder": "full",
    "causal_decoder": "causal",
    "prefix_decoder": "ranked",
    "encoder_decoder": "causal",
  }[trunk.architecture]
  source = None
  if trunk.architecture == "encoder_decoder":
    source = _stream("full", S, seed=1)
  return _stream(mask, length), source


def _forward(net, inputs, source):
  hidden = net.hidden(inputs, source)
  return hidden, net.head("vocabulary", hidden)


def _network(trunk, deterministic=True):
  return Network((("main", trunk),), deterministic=deterministic)


@functools.cache
def _shapes(trunk):
  init = functools.partial(nn.init(_forward, _network(trunk)))
  out = jax.eval_shape(init, jax.random.key(0), *_inputs(trunk))
  return nn.meta.unbox(out)["params"]


def _params(trunk):
  """Large, and biases and scales are not trivial."""
  return toy.draw(_shapes(trunk))


def _apply(trunk, params, inputs, source, rngs=None):
  """Hidden states and logits; with rngs, dropout acts."""
  network = _network(trunk, deterministic=rngs is None)
  return nn.apply(_forward, network)(
    {"params": params}, inputs, source, rngs=rngs
  )


_run = jax.jit(
  _apply, static_argnums=0, compiler_options=toy.QUICKLY
)


def _like(**options):
  return dataclasses.replace(BASE, **options)


def _preset(name, **options):
  shape = {
    field: getattr(BASE, field)
    for field in ("layers", "width", "feedforward", "vocabulary")
  }
  shape |= {"heads": 2, "max_positions": BASE.max_positions}
  return dataclasses.replace(PRESETS[name], **shape | options)


VARIANTS = {
  "gpt2": _preset("gpt2"),
  "bert": _preset("bert", architecture="encoder"),
  "electra": _preset("electra", architecture="encoder", embedding_width=6),
  "xlnet": _preset("xlnet", architecture="encoder"),
  "t5": _preset("t5", architecture="encoder_decoder", relative_distance=8),
  "bart": _preset("bart", architecture="encoder_decoder", encoder_layers=1),
  "vaswani": _like(
    architecture="encoder_decoder",
    positions="sinusoidal",
    norm_placement="post",
    activation="relu",
    bias=True,
  ),
  "llama": _like(
    norm="rmsnorm", activation="swiglu", heads=4, kv_heads=2, tied=False
  ),
  "t5.1.1": _like(
    architecture="encoder_decoder",
    norm="rmsnorm",
    positions="relative",
    relative_buckets=8,
    relative_distance=8,
    activation="geglu",
    head_width=6,
    tied=False,
  ),
  "alibi": _like(
    positions="alibi", heads=4, windows=(3, 0), embedding_width=6
  ),
  "prefix relative": _like(
    architecture="prefix_decoder", positions="relative", relative_buckets=8
  ),
  "rotary cross": _like(
    architecture="encoder_decoder", activation="silu", kv_heads=1, bias=True
  ),
  "none": _like(
    positions="none",
    embedding_width=6,
    tied=False,
    output_bias=True,
    rotary_base=100.0,
  ),
}


@pytest.mark.parametrize("name", VARIANTS)
def test_forward_is_the_float64_reference(name):
  trunk = VARIANTS[name]
  inputs, source = _inputs(trunk)
  params = _params(trunk)
  hidden, logits = _run(trunk, params, inputs, source)
  exact = reference.Transformer(
    trunk, jax.tree.map(lambda x: np.asarray(x, np.float64), params)
  )
  expected = exact.hidden(inputs, source)
  scale = np.abs(expected).max()
  np.testing.assert_allclose(hidden, expected, atol=1e-5 * scale)
  expected = exact.logits(expected)
  scale = np.abs(expected).max()
  np.testing.assert_allclose(logits, expected, atol=1e-5 * scale)
  assert np.std(expected) > 0.1  # there is something to compare


# A value other than BASE's for each option that the result depends on.
CHANGES = {
  "layers": 1,
  "width": 20,
  "heads": 4,
  "feedforward": 12,
  "vocabulary": 37,
  "kv_heads": 1,
  "head_width": 4,
  "embedding_width": 6,
  "encoder_layers": 1,
  "norm": "rmsnorm",
  "norm_placement": "post",
  "norm_epsilon": 1e-1,
  "embedding_norm": True,
  "positions": "alibi",
  "relative_buckets": 8,
  "relative_distance": 10,
  "rotary_base": 100.0,
  "activation": "relu",
  "bias": True,
  "tied": False,
  "output_bias": True,
  "output_transform": True,
  "token_types": 2,
  "windows": (2, 0),
  "dtype": "bfloat16",
  "max_positions": 12,
  "dropout": 0.5,
  "attention_dropout": 0.5,
}
# How it is computed, not what; the rest of this file holds them to it. The
# embeddings of another stack are replaced-token detection's business, and
# the range of initial parameters shows in them only.
SAME = {"remat", "scan", "attention", "embeddings", "initializer_range"}
# Under which other options an option says something.
WHERE = {
  "encoder_layers": {"architecture": "encoder_decoder"},
  "relative_buckets": {"positions": "relative"},
  "relative_distance": {"positions": "relative", "relative_buckets": 8},
  "max_positions": {"positions": "learned"},
}


def test_every_option_is_tested():
  fields = {field.name for field in dataclasses.fields(Trunk)}
  assert fields == set(CHANGES) | SAME | {"architecture"}


@pytest.mark.parametrize("option", CHANGES)
def test_every_option_changes_something(option):
  before = _like(**WHERE.get(option, {}))
  after = dataclasses.replace(before, **{option: CHANGES[option]})
  if _differ(_shapes(before), _shapes(after)):
    return
  rngs = {"dropout": jax.random.key(0)} if "dropout" in option else None
  outputs = [
    np.asarray(_run(trunk, _params(trunk), *_inputs(trunk), rngs)[1])
    for trunk in (before, after)
  ]
  assert np.abs(outputs[0] - outputs[1]).max() > 1e-3


def _differ(a, b):
  one, other = (
    {jax.tree_util.keystr(path): leaf.shape for path, leaf in leaves}
    for leaves in map(jax.tree_util.tree_leaves_with_path, (a, b))
  )
  return one != other


def test_the_initial_range_is_that_of_the_parameters():
  for spread in (0.02, 0.2):
    trunk = _like(initializer_range=spread, positions="learned")
    init = jax.jit(
      nn.init(_forward, _network(trunk)), compiler_options=toy.QUICKLY
    )
    params = nn.meta.unbox(init(jax.random.key(0), *_inputs(trunk)))["params"]
    leaves = jax.tree_util.tree_leaves_with_path(params)
    for path, leaf in leaves:
      name = jax.tree_util.keystr(path, simple=True, separator="/")
      if "kernel" in name or "embedding" in name:
        assert np.std(leaf) == pytest.approx(spread, rel=0.2), name
      else:
        assert np.all(leaf == (1 if name.endswith("scale") else 0)), name


def _stack(params, period):
  """The parameters of an unrolled stack, as a scan has them."""

  def stack(blocks):
    layers = [k for k in blocks if k.startswith("layer_")]
    groups = {
      f"block_{j}": jax.tree.map(
        lambda *leaves: np.stack(leaves),
        *[blocks[f"layer_{i}"] for i in range(j, len(layers), period)],
      )
      for j in range(period)
    }
    return {k: v for k, v in blocks.items() if k not in layers} | {
      "layers": groups
    }

  main = {k: stack(v) for k, v in params["stack_main"].items()}
  return params | {"stack_main": main}


@pytest.mark.parametrize(
  "options",
  [
    {"layers": 4, "windows": (3, 0), "positions": "alibi"},
    {"architecture": "encoder_decoder", "positions": "relative"},
  ],
)
def test_a_scan_is_the_unrolled_stack(options):
  trunk = _like(**options)
  params, args = _params(trunk), _inputs(trunk)
  scanned = dataclasses.replace(trunk, scan=True)
  stacked = _stack(params, len(trunk.windows))
  assert not _differ(_shapes(scanned), stacked)
  expected = _run(trunk, params, *args)[1]
  found = _run(scanned, stacked, *args)[1]
  np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_scan_of_half_a_period_is_refused():
  with pytest.raises(UsageError, match="--trunk.windows=8,0"):
    _shapes(_like(layers=3, windows=(8, 0), scan=True))


@pytest.mark.parametrize(("remat", "scan"), [("dots", False), ("full", True)])
def test_remat_changes_no_gradient(remat, scan):
  before = _like(layers=1, scan=scan)
  after = dataclasses.replace(before, remat=remat)
  args, params = _inputs(before), _params(before)
  gradients, programs = [], []
  for trunk in (before, after):

    def loss(params, trunk=trunk):
      return jnp.mean(jnp.square(_apply(trunk, params, *args)[1]))

    gradient = toy.compile_quickly(jax.jit(jax.grad(loss)), params)
    gradients.append(gradient(params))
    programs.append(str(jax.make_jaxpr(jax.grad(loss))(params)))
  assert programs[0] != programs[1]
  jax.tree.map(
    lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-4, atol=1e-5),
    *gradients,
  )


@pytest.mark.parametrize("rate", ["dropout", "attention_dropout"])
def test_dropout_needs_its_rng_and_depends_on_it(rate):
  trunk = _like(**{rate: 0.3})
  params, args = _params(trunk), _inputs(trunk)
  run = functools.partial(_run, trunk, params, *args)
  plain = _run(BASE, params, *args)[1]
  np.testing.assert_array_equal(run()[1], plain)  # deterministic: off
  one, again, other = (
    np.asarray(run(rngs={"dropout": jax.random.key(seed)})[1])
    for seed in (1, 1, 2)
  )
  np.testing.assert_array_equal(one, again)
  assert np.abs(one - plain).max() > 0.1
  assert np.abs(one - other).max() > 0.1


def test_bfloat16_computes_in_it_and_keeps_the_rest_in_float32():
  trunk = _like(dtype="bfloat16", bias=True)
  params, args = _params(trunk), _inputs(trunk)
  assert all(x.dtype == jnp.float32 for x in jax.tree.leaves(_shapes(trunk)))
  hidden, logits = _run(trunk, params, *args)
  assert hidden.dtype == jnp.bfloat16
  assert logits.dtype == jnp.float32
  exact = _run(_like(bias=True), params, *args)[1]
  # 8 bits of mantissa through some ten roundings in a row.
  np.testing.assert_allclose(logits, exact, atol=0.05 * np.abs(exact).max())

  def nll(net, inputs, targets):
    return net.nll(net.hidden(inputs), targets)

  targets = args[0].tokens_BxT
  network = _network(trunk)

  def losses(params):
    return nn.apply(nll, network)({"params": params}, args[0], targets)

  assert jax.eval_shape(losses, params).dtype == jnp.float32
  jaxpr = jax.make_jaxpr(losses)(params)
  products = [
    equation
    for equation in toy.equations(jaxpr)
    if equation.primitive.name == "dot_general"
  ]
  # Per layer: four projections, scores, values, two of the feed-forward.
  assert len(products) == 8 * trunk.layers + 1
  for equation in products:
    assert {x.aval.dtype for x in equation.invars} == {jnp.dtype("bfloat16")}


@pytest.mark.parametrize(
  ("options", "length"),
  [
    ({}, T),
    ({"positions": "learned", "bias": True}, T),
    ({"positions": "relative"}, T),
    ({"positions": "alibi", "windows": (3, 0)}, T),
    ({"layers": 1, "attention": "blocked"}, 128),
  ],
)
def test_no_gradient_reaches_a_token_from_what_comes_after(options, length):
  # Every token has a row of the table to itself, and the output another
  # table, so that the gradient of the table is that of the embeddings.
  trunk = _like(
    **{"tied": False, "vocabulary": 2 * length, "max_positions": length}
    | options
  )
  inputs, _ = _inputs(trunk, length)
  tokens_BxT = np.arange(2 * length).reshape(2, length).astype(np.int32)
  inputs = dataclasses.replace(inputs, tokens_BxT=tokens_BxT)
  init = nn.init(_forward, _network(trunk))
  shapes = nn.meta.unbox(
    jax.eval_shape(init, jax.random.key(0), inputs, None)
  )
  params = toy.draw(shapes)["params"]
  table = params["embedder_main"].pop("embedding")

  def of_token(table, t):
    embedder = params["embedder_main"] | {"embedding": table}
    logits = _apply(
      trunk, params | {"embedder_main": embedder}, inputs, None
    )[1]
    return jnp.sum(jnp.square(logits[:, t]))

  every = range(length) if length == T else (0, 1, 63, 64, 65, 100, 127)
  every_gradient = jax.vmap(jax.grad(of_token), in_axes=(None, 0))
  where = table, jnp.array(every)
  jacobian = toy.compile_quickly(jax.jit(every_gradient), *where)(*where)
  reached = np.any(np.asarray(jacobian) != 0, axis=-1)
  for t, row in zip(every, reached.reshape(-1, 2, length), strict=True):
    for b in range(2):
      segment = inputs.segment_BxT[b]
      allowed = (np.arange(length) <= t) & (segment == segment[t])
      np.testing.assert_array_equal(row[b], allowed)


@pytest.mark.parametrize("positions", ["rotary", "relative", "alibi"])
def test_a_prefix_decoder_reads_causal_ranks_alike_however_they_come(positions):
  # Trained on ranks, scored from left to right: the same ranks must mean the
  # same, whatever the kernel.
  trunk = _like(architecture="prefix_decoder", positions=positions)
  causal = _stream("causal")
  ranked = dataclasses.replace(causal, mask="ranked")
  params = _params(trunk)
  found, expected = (
    _run(trunk, params, stream, None)[1] for stream in (causal, ranked)
  )
  np.testing.assert_allclose(found, expected, atol=1e-5)


def test_more_tokens_than_learned_positions_is_an_error():
  trunk = _like(positions="learned", max_positions=T - 1)
  with pytest.raises(UsageError, match="stream of 10 tokens"):
    _apply(trunk, _params(_like(positions="learned")), *_inputs(trunk))
