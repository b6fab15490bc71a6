import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lm_jax.training import flops
from lm_jax.types import Head, Stream, Trunk


def test_a_layer_counted_by_hand():
  trunk = Trunk(layers=1, width=8, heads=2, feedforward=32)
  # Four 8x8 projections, scores and values of 8 per pair, 8x32 there and back.
  expected = 2 * (4 * 5 * 8 * 8 + 2 * 5 * 5 * 8 + 2 * 5 * 8 * 32)
  assert flops.forward_hidden(trunk, 1, 5) == expected
  assert flops.forward_hidden(trunk, 3, 5) == 3 * expected


def _attention(x, y, widths):
  width, query_width, key_width, heads = widths
  query = x @ jnp.ones((width, query_width))
  key, value = (y @ jnp.ones((width, key_width)) for _ in range(2))
  head_width = query_width // heads

  def split(z):
    return z.reshape(*z.shape[:2], -1, head_width)

  repeats = query_width // key_width
  key, value = (jnp.repeat(split(z), repeats, 2) for z in (key, value))
  weights = jnp.einsum("bthk,bshk->bhts", split(query), key)
  mixed = jnp.einsum("bhts,bshk->bthk", weights, value)
  return x + mixed.reshape(query.shape) @ jnp.ones((query_width, width))


def _feedforward(x, trunk):
  matrices = 3 if trunk.activation in ("swiglu", "geglu") else 2
  up = x @ jnp.ones((trunk.width, trunk.feedforward))
  if matrices == 3:
    up = up * (x @ jnp.ones((trunk.width, trunk.feedforward)))
  return x + up @ jnp.ones((trunk.feedforward, trunk.width))


def _plain(trunk, batch, length, source_length, rows):
  """The dots of a network written out, forward, by its jaxpr."""
  head_width = trunk.head_width or trunk.width // trunk.heads
  widths = (
    trunk.width,
    trunk.heads * head_width,
    (trunk.kv_heads or trunk.heads) * head_width,
    trunk.heads,
  )
  e = trunk.embedding_width or trunk.width

  def embed(length):
    x = jnp.ones((batch, length, e))
    return x if e == trunk.width else x @ jnp.ones((e, trunk.width))

  def network():
    source = None
    if source_length:
      source = embed(source_length)
      for _ in range(trunk.encoder_layers or trunk.layers):
        source = _feedforward(_attention(source, source, widths), trunk)

    def layer(x, _):
      x = _attention(x, x, widths)
      if source is not None:
        x = _attention(x, source, widths)
      return _feedforward(x, trunk), None

    x, _ = jax.lax.scan(layer, embed(length), length=trunk.layers)
    states = x.reshape(-1, trunk.width)[:rows]
    if trunk.output_transform or (trunk.tied and e != trunk.width):
      states = states @ jnp.ones((trunk.width, e))
    return states @ jnp.ones((states.shape[-1], trunk.vocabulary))

  return flops.dots(jax.make_jaxpr(network)())


_BASE = {"layers": 3, "width": 16, "heads": 4, "feedforward": 40}
_BASE["vocabulary"] = 50


@pytest.mark.parametrize(
  ("options", "source_length"),
  [
    ({}, None),
    ({"kv_heads": 2, "activation": "swiglu", "tied": False}, None),
    ({"head_width": 6, "embedding_width": 10, "kv_heads": 1}, None),
    ({"embedding_width": 10, "output_transform": True}, None),
    ({"embedding_width": 10, "tied": False, "activation": "relu"}, None),
    ({"output_transform": True, "activation": "geglu"}, None),
    ({"architecture": "encoder_decoder", "kv_heads": 2}, 11),
    (
      {
        "architecture": "encoder_decoder",
        "encoder_layers": 2,
        "embedding_width": 10,
      },
      9,
    ),
  ],
)
def test_formulas_are_the_dots_of_a_plain_network(options, source_length):
  trunk = Trunk(**_BASE | options)
  found = flops.forward_hidden(trunk, 2, 7, source_length)
  found += flops.forward_vocabulary(trunk, 5)
  assert found == _plain(trunk, 2, 7, source_length, 5)


def test_a_source_where_none_belongs_is_an_error():
  with pytest.raises(ValueError, match="source length"):
    flops.forward_hidden(Trunk(), 2, 7, 9)
  with pytest.raises(ValueError, match="source length"):
    flops.forward_hidden(Trunk(architecture="encoder_decoder"), 2, 7)


class _Shapes:
  """An Apply that only has shapes."""

  def hidden(self, inputs, source=None, stack="main"):
    return jnp.zeros((*inputs.tokens_BxT.shape, 8))

  def head(self, name, hidden_BxTxD, positions=None, stack="main"):
    return hidden_BxTxD

  def nll(self, hidden_BxTxD, targets_BxP, positions=None, stack="main"):
    return targets_BxP.astype(jnp.float32)


def _stream(batch, length):
  return Stream(*[jnp.zeros((batch, length), jnp.int32)] * 6)


def test_the_counter_charges_every_stack_head_and_position():
  main = Trunk(**_BASE)
  small = Trunk(**_BASE | {"layers": 1})
  seq2seq = Trunk(**_BASE | {"architecture": "encoder_decoder"})
  trunks = {"main": main, "generator": small, "seq2seq": seq2seq}
  heads = {
    "replaced": Head(1, transform="trunk"),
    "pair": Head(2, pool="first", transform="tanh"),
  }
  counter = flops.Counter(_Shapes(), trunks, heads)

  def loss():
    hidden = counter.hidden(_stream(2, 7), stack="generator")
    targets = jnp.zeros((2, 3), jnp.int32)
    nll = counter.nll(hidden, targets, targets, stack="generator")
    counter.head("vocabulary", hidden, targets, stack="generator")
    hidden = counter.hidden(_stream(2, 7))
    counter.head("replaced", hidden)
    counter.head("replaced", hidden, targets)
    counter.head("pair", hidden)
    counter.hidden(_stream(2, 4), _stream(2, 9), stack="seq2seq")
    return nll

  assert jax.eval_shape(loss).shape == (2, 3)
  expected = flops.forward_hidden(small, 2, 7)
  expected += 2 * flops.forward_vocabulary(small, 6)
  expected += flops.forward_hidden(main, 2, 7)
  expected += 2 * (14 + 6) * (16 * 16 + 16) + 2 * 2 * (16 * 16 + 16 * 2)
  expected += flops.forward_hidden(seq2seq, 2, 4, 9)
  assert counter.forward == expected
  assert counter.positions == 2 * (7 + 7 + 4 + 9)


def test_dots_follow_every_kind_of_call():
  a, b = np.ones((3, 4), np.float32), np.ones((4, 5), np.float32)
  one = 2 * 3 * 4 * 5

  @jax.custom_vjp
  def custom(a):
    return a @ b

  custom.defvjp(lambda a: (a @ b, None), lambda _, g: (g @ b.T,))

  def step(a, _):
    return a + (a @ b) @ b.T, None

  def count(function, *args):
    return flops.dots(jax.make_jaxpr(function)(*args))

  assert count(jax.jit(lambda a: a @ b), a) == one
  assert count(custom, a) == one
  assert count(jax.value_and_grad(lambda a: custom(a).sum()), a) == 2 * one
  assert count(lambda a: jax.lax.scan(step, a, length=6), a) == 12 * one
  assert count(jax.vmap(lambda a: a @ b), np.stack([a] * 7)) == 7 * one
  branches = (lambda a: a, lambda a: (a @ b) @ b.T)
  assert count(lambda a: jax.lax.cond(True, *branches[::-1], a), a) == 2 * one
  checkpointed = jax.checkpoint(lambda a: jnp.sin(a @ b) @ b.T)
  # Two products forward, the first again for its sine, two backward.
  both = jax.value_and_grad(lambda a: checkpointed(a).sum())
  assert count(both, a) == 5 * one
  batched = np.ones((2, 3, 4)), np.ones((2, 4, 5))
  assert count(jnp.matmul, *batched) == 2 * one
  with pytest.raises(ValueError, match="while"):
    count(
      lambda a: jax.lax.while_loop(
        lambda x: x.sum() < 9, lambda x: step(x, None)[0], a
      ),
      a,
    )


def test_backward_costs_twice_the_forward_pass():
  kernels = [(16, 40), (40, 16), (16, 50)]

  def loss(x, *kernels):
    for kernel in kernels:
      x = jnp.tanh(x @ kernel)
    return x.sum()

  args = [jnp.ones((2, 7, 16))] + [jnp.ones(shape) for shape in kernels]
  every = tuple(range(len(args)))
  found = flops.dots(jax.make_jaxpr(jax.grad(loss, every))(*args))
  assert found == 3 * flops.dots(jax.make_jaxpr(loss)(*args))


def test_electras_published_figures():
  small = {"layers": 12, "vocabulary": 30522, "embedding_width": 128}
  large = Trunk(width=256, heads=4, feedforward=1024, **small)
  generator = Trunk(width=64, heads=1, feedforward=256, **small)
  sequences = 128 * 1_000_000
  electra = sequences * (
    flops.electra_convention(large, 128, discriminator=True)
    + flops.electra_convention(generator, 128)
  )
  bert = 128 * 1_450_000 * flops.electra_convention(large, 128)
  assert electra == pytest.approx(1.29e18, rel=0.01)
  assert bert == pytest.approx(1.42e18, rel=0.01)
  base = Trunk(
    layers=12, width=768, heads=12, feedforward=3072, vocabulary=30522
  )
  base_figure = 256 * 1_000_000 * flops.electra_convention(base, 512)
  assert base_figure == pytest.approx(6.4e19, rel=0.01)
