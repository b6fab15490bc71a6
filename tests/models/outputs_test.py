import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import toy

from lm_jax.models import outputs
from lm_jax.models.network import Network
from lm_jax.types import Head, Trunk

B, P, E, V = 3, 8, 5, 97


def _arguments(bias):
  x = toy.draw(jnp.zeros((B, P, E)), 1, scale=1.0)
  table = toy.draw(jnp.zeros((V, E)), 2, scale=1.0)
  bias_V = toy.draw(jnp.zeros((V,)), 3, scale=1.0) if bias else None
  targets = np.random.default_rng(4).integers(0, V, (B, P))
  return (x, table, bias_V), jnp.array(targets)


def _loss(kernel, targets, weight):
  """A weighted sum, so that each loss has a gradient of its own."""
  return lambda *args: jnp.sum(weight * kernel(*args, targets))


def _written_out(x, table, bias_V, targets):
  logits = jnp.einsum("bpe,ve->bpv", x, table)
  logits = logits if bias_V is None else logits + bias_V
  logp = jax.nn.log_softmax(logits)
  return -jnp.take_along_axis(logp, targets[..., None], axis=-1)[..., 0]


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("chunks", [1, 2, 8])
def test_the_vocabulary_loss_is_log_softmax_in_chunks_too(chunks, bias):
  args, targets = _arguments(bias)
  weight = toy.draw(jnp.zeros((B, P)), 5)
  which = (0, 1, 2) if bias else (0, 1)

  def chunked(*args):
    return outputs.vocabulary_nll(*args, chunks)

  found, expected = (
    jax.jit(jax.value_and_grad(_loss(kernel, targets, weight), which))(*args)
    for kernel in (chunked, _written_out)
  )
  np.testing.assert_allclose(
    chunked(*args, targets), _written_out(*args, targets), atol=1e-5
  )
  jax.tree.map(
    lambda x, y: np.testing.assert_allclose(x, y, atol=1e-5), found, expected
  )


def test_the_vocabulary_loss_is_that_of_float64():
  args, targets = _arguments(True)
  x, table, bias_V = (np.asarray(arg, np.float64) for arg in args)
  logits = x @ table.T + bias_V
  exact = np.log(np.exp(logits).sum(-1))
  for b in range(B):
    for p in range(P):
      exact[b, p] -= logits[b, p, targets[b, p]]
  found = outputs.vocabulary_nll(*args, targets, 4)
  np.testing.assert_allclose(found, exact, atol=1e-5)


def test_a_loss_of_huge_logits_is_finite():
  (x, table, bias_V), targets = _arguments(False)
  loss = lambda x: jnp.sum(  # noqa: E731
    outputs.vocabulary_nll(x, table, bias_V, targets, 2)
  )
  value, grad = jax.value_and_grad(loss)(1e4 * x)
  assert np.isfinite(value)
  assert np.all(np.isfinite(grad))


@pytest.mark.parametrize("chunks", [1, 2, 4])
def test_no_more_than_a_chunk_of_logits_is_held(chunks):
  args, targets = _arguments(True)

  def loss(*args):
    return jnp.sum(outputs.vocabulary_nll(*args, targets, chunks))

  jaxpr = jax.make_jaxpr(jax.grad(loss, (0, 1, 2)))(*args)
  assert toy.most_logits(jaxpr, V) == B * P // chunks


def test_chunks_are_as_few_as_keep_within_the_bound():
  bound = outputs.MOST_LOGITS
  assert outputs.chunks_for(8, 128, 4096) == 1
  for rows, positions, vocabulary in [
    (16, 256, 50000),
    (64, 512, 30522),
    (3, 77, 1_000_000),
  ]:
    chunks = outputs.chunks_for(rows, positions, vocabulary)
    assert rows * -(-positions // chunks) * vocabulary <= bound
    assert rows * -(-positions // (chunks // 2)) * vocabulary > bound
  # A single position of each row may exceed it; there is nothing to split.
  assert outputs.chunks_for(1000, 3, 1_000_000) == 3


TRUNK = Trunk(
  layers=1, width=E, heads=1, vocabulary=V, head_width=4, output_bias=True
)
HEADS = (
  ("pair", Head(2, pool="first", transform="tanh")),
  ("token", Head(3, transform="trunk")),
)


def _run(function, hidden, *args):
  network = Network((("main", TRUNK),), HEADS)
  init = nn.init(lambda net: _all(net, hidden), network)
  shapes = nn.meta.unbox(jax.eval_shape(init, jax.random.key(0)))
  run = jax.jit(nn.apply(function, network))
  return run(toy.draw(shapes), *args)


def _all(net, hidden):
  heads = [net.head(name, hidden) for name in ("vocabulary", "pair", "token")]
  return heads, net.embedder["main"].embedding_VxE


def test_losses_and_logits_at_chosen_positions(monkeypatch):
  """What is asked for at positions is what stands there; a network pads to
  whole chunks and cuts the padding off."""
  (hidden, _, _), targets = _arguments(True)
  at = jnp.array([[0, 3, 7, 7, 1], [2, 2, 0, 1, 5], [4, 4, 4, 4, 4]])
  chosen = jnp.take_along_axis(targets, at, axis=1)

  def ask(net):
    return (
      net.nll(hidden, chosen, at),
      net.nll(hidden, targets),
      net.head("vocabulary", hidden, at),
      net.head("vocabulary", hidden),
      net.head("token", hidden, at),
      net.head("token", hidden),
      net.head("pair", hidden),
    )

  whole = _run(ask, hidden)
  monkeypatch.setattr(outputs, "MOST_LOGITS", B * 2 * V)
  some, every, logits_at, logits, token_at, token, pair = _run(ask, hidden)
  np.testing.assert_allclose(some, whole[0], atol=1e-5)
  np.testing.assert_allclose(every, whole[1], atol=1e-5)
  assert every.shape == (B, P)
  assert pair.shape == (B, 2)
  for b in range(B):
    np.testing.assert_allclose(some[b], every[b, at[b]], atol=1e-5)
    np.testing.assert_allclose(logits_at[b], logits[b, at[b]], atol=1e-5)
    np.testing.assert_allclose(token_at[b], token[b, at[b]], atol=1e-5)


def test_heads_are_what_they_say():
  (hidden, _, _), _ = _arguments(True)

  def ask(net):
    return net.head("pair", hidden), net.head("token", hidden)

  network = Network((("main", TRUNK),), HEADS)
  params = toy.draw(
    nn.meta.unbox(jax.eval_shape(nn.init(ask, network), jax.random.key(0)))
  )
  pair, token = nn.apply(ask, network)(params)
  x = np.asarray(hidden, np.float64)

  def dense(head, layer, x):
    leaf = params["params"][f"heads_{head}"][layer]
    return x @ np.asarray(leaf["kernel"]) + np.asarray(leaf["bias"])

  # Devlin et al. 2019: the first token, a dense layer and tanh.
  expected = dense("pair", "out", np.tanh(dense("pair", "dense", x[:, 0])))
  np.testing.assert_allclose(pair, expected, atol=1e-5)
  inner = dense("token", "dense", x)
  cubic = inner + 0.044715 * inner**3
  inner = 0.5 * inner * (1 + np.tanh(np.sqrt(2 / np.pi) * cubic))
  np.testing.assert_allclose(token, dense("token", "out", inner), atol=1e-5)
