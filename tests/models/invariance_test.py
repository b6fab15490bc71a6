"""What must not change a transformer's outputs, nor reach them."""

import dataclasses
import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import stack
import toy

from lm_jax.support.errors import UsageError


def _stacked(params, period):
  """The parameters of an unrolled stack, as a scan has them."""

  def periods(blocks):
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

  main = {k: periods(v) for k, v in params["stack_main"].items()}
  return params | {"stack_main": main}


@pytest.mark.parametrize(
  "options",
  [
    {"layers": 4, "windows": (3, 0), "positions": "alibi"},
    {"architecture": "encoder_decoder", "positions": "relative"},
  ],
)
def test_a_scan_is_the_unrolled_stack(options):
  trunk = stack.like(**options)
  params, args = stack.params(trunk), stack.inputs(trunk)
  scanned = dataclasses.replace(trunk, scan=True)
  stacked = _stacked(params, len(trunk.windows))
  assert not stack.differ(stack.shapes(scanned), stacked)
  expected = stack.run(trunk, params, *args)[1]
  found = stack.run(scanned, stacked, *args)[1]
  np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_scan_of_half_a_period_is_refused():
  with pytest.raises(UsageError, match=r"--trunk\.windows=8,0"):
    stack.shapes(stack.like(layers=3, windows=(8, 0), scan=True))


@pytest.mark.parametrize(("remat", "scan"), [("dots", False), ("full", True)])
def test_remat_changes_no_gradient(remat, scan):
  before = stack.like(layers=1, scan=scan)
  after = dataclasses.replace(before, remat=remat)
  args, params = stack.inputs(before), stack.params(before)
  gradients, programs = [], []
  for trunk in (before, after):

    def loss(params, trunk=trunk):
      return jnp.mean(jnp.square(stack.apply(trunk, params, *args)[1]))

    gradient = jax.jit(jax.grad(loss))
    gradients.append(gradient(params))
    programs.append(str(jax.make_jaxpr(jax.grad(loss))(params)))
  assert programs[0] != programs[1]
  jax.tree.map(
    lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-4, atol=1e-5),
    *gradients,
  )


def test_remat_names_what_is_computed_again():
  """All of a layer's six products, none of them, or no attention even."""
  counts = {}
  for remat in ("none", "dots", "full"):
    trunk = stack.like(layers=1, scan=True, remat=remat)
    args, params = stack.inputs(trunk), stack.params(trunk)

    def loss(params, trunk=trunk, args=args):
      return jnp.mean(jnp.square(stack.apply(trunk, params, *args)[1]))

    program = str(jax.make_jaxpr(jax.grad(loss))(params))
    counts[remat] = program.count("dot_general")
  assert counts["none"] < counts["dots"]  # attention's
  assert counts["full"] >= counts["dots"] + 5  # and those of kernels


@pytest.mark.parametrize("rate", ["dropout", "attention_dropout"])
def test_dropout_needs_its_rng_and_depends_on_it(rate):
  trunk = stack.like(**{rate: 0.3})
  params, args = stack.params(trunk), stack.inputs(trunk)
  run = functools.partial(stack.run, trunk, params, *args)
  plain = stack.run(stack.BASE, params, *args)[1]
  np.testing.assert_array_equal(run()[1], plain)  # deterministic: off
  one, again, other = (
    np.asarray(run(rngs={"dropout": jax.random.key(seed)})[1])
    for seed in (1, 1, 2)
  )
  np.testing.assert_array_equal(one, again)
  assert np.abs(one - plain).max() > 0.1
  assert np.abs(one - other).max() > 0.1


def test_bfloat16_computes_in_it_and_keeps_the_rest_in_float32():
  trunk = stack.like(dtype="bfloat16", bias=True)
  params, args = stack.params(trunk), stack.inputs(trunk)
  assert all(
    x.dtype == jnp.float32 for x in jax.tree.leaves(stack.shapes(trunk))
  )
  hidden, logits = stack.run(trunk, params, *args)
  assert hidden.dtype == jnp.bfloat16
  assert logits.dtype == jnp.float32
  exact = stack.run(stack.like(bias=True), params, *args)[1]
  # 8 bits of mantissa through some ten roundings in a row.
  np.testing.assert_allclose(logits, exact, atol=0.05 * np.abs(exact).max())

  def nll(net, inputs, targets):
    return net.nll(net.hidden(inputs), targets)

  targets = args[0].tokens_BxT
  network = stack.network(trunk)

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
    ({}, stack.T),
    ({"positions": "learned", "bias": True}, stack.T),
    ({"positions": "relative"}, stack.T),
    ({"positions": "alibi", "windows": (3, 0)}, stack.T),
    ({"layers": 1, "attention": "blocked"}, 128),
    ({"layers": 1, "attention": "sparse"}, 128),
  ],
)
def test_no_gradient_reaches_a_token_from_what_comes_after(options, length):
  # Every token has a row of the table to itself, and the output another
  # table, so that the gradient of the table is that of the embeddings.
  trunk = stack.like(
    **{"tied": False, "vocabulary": 2 * length, "max_positions": length}
    | options
  )
  inputs, _ = stack.inputs(trunk, length)
  tokens_BxT = np.arange(2 * length).reshape(2, length).astype(np.int32)
  inputs = dataclasses.replace(inputs, tokens_BxT=tokens_BxT)
  init = nn.init(stack.forward, stack.network(trunk))
  shapes = nn.meta.unbox(jax.eval_shape(init, jax.random.key(0), inputs, None))
  params = toy.draw(shapes)["params"]
  table = params["embedder_main"].pop("embedding")

  def of_token(table, t):
    embedder = params["embedder_main"] | {"embedding": table}
    logits = stack.apply(
      trunk, params | {"embedder_main": embedder}, inputs, None
    )[1]
    return jnp.sum(jnp.square(logits[:, t]))

  every = range(length) if length == stack.T else (0, 1, 63, 64, 65, 100, 127)
  every_gradient = jax.vmap(jax.grad(of_token), in_axes=(None, 0))
  where = table, jnp.array(every)
  jacobian = jax.jit(every_gradient)(*where)
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
  trunk = stack.like(
    architecture="prefix_decoder", positions=positions, relative_buckets=8
  )
  causal = stack.stream("causal")
  ranked = dataclasses.replace(causal, mask="ranked")
  params = stack.params(trunk)
  found, expected = (
    stack.run(trunk, params, stream, None)[1] for stream in (causal, ranked)
  )
  np.testing.assert_allclose(found, expected, atol=1e-5)


def test_more_tokens_than_learned_positions_is_an_error():
  trunk = stack.like(positions="learned", max_positions=stack.T - 1)
  with pytest.raises(UsageError, match="stream of 10 tokens"):
    stack.apply(
      trunk, stack.params(stack.like(positions="learned")), *stack.inputs(trunk)
    )
