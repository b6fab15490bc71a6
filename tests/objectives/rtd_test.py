"""Replaced-token detection: what is replaced, and what learns from it."""

from __future__ import annotations

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats

from lm_jax.objectives import rtd
from lm_jax.objectives.rtd import ReplacedTokenDetection
from lm_jax.training import terms as terms_lib
from lm_jax.types import Trunk


def test_85_15(tiny):
  rows = tiny.rows([[40]] * 400)
  problem = tiny.make(ReplacedTokenDetection(), tiny.spec("encoder"), rows)
  chosen = problem.weights["nll"] > 0
  assert np.all(chosen.sum(axis=1) == round(0.15 * 38))
  reads = np.take_along_axis(
    problem.inputs.tokens_BxT, problem.positions_BxP, axis=1
  )[chosen]
  masked = np.sum(reads == tiny.specials.mask)
  np.testing.assert_array_equal(
    reads[reads != tiny.specials.mask],
    problem.targets_BxP[chosen][reads != tiny.specials.mask],
  )
  assert scipy.stats.binomtest(masked, reads.size, 0.85).pvalue > 1e-4
  real = rows.segment_BxL > 0  # the discriminator judges every real token
  np.testing.assert_array_equal(problem.weights["replaced"], real)


@pytest.fixture(scope="module")
def learned(tiny):
  """Problem, the discriminator's input, and each term's gradient and scale."""
  objective, spec = ReplacedTokenDetection(), tiny.spec("encoder")
  network = tiny.network(objective, spec, output_bias=True)
  params = tiny.parameters(objective, spec, network)
  rows = tiny.rows([[14, 12], [40], [9, 8, 11], [19]])
  # A text of two tokens, and a generator that draws these: often the right.
  is_text = tiny.is_text(rows.tokens_BxL)
  rows.tokens_BxL[is_text] = 200 + rows.tokens_BxL[is_text] % 2
  params["output_generator"]["bias"][200:202] += 10
  problem = tiny.make(objective, spec, rows)

  def record(net, problem):
    reads = []

    class Recorder:
      head = net.head

      def hidden(self, inputs, source=None, stack="main"):
        reads.append(inputs.tokens_BxT)
        return net.hidden(inputs, source, stack)

    terms = objective.loss(Recorder(), problem, None)
    return terms, reads[1]

  def losses(params, problem):
    apply = nn.apply(record, network)
    terms, read = apply({"params": params}, problem)
    whole = terms_lib.denominators(problem)
    values = [
      terms_lib.total({name: terms[name]}, problem, whole)[0]
      for name in ("nll", "replaced")
    ]
    metrics = terms["replaced"].metrics
    return jnp.stack(values), (read, terms["replaced"].scale, metrics)

  gradient = jax.jit(jax.jacrev(losses, has_aux=True))
  grads, aux = jax.device_get(gradient(params, problem))
  return rows, problem, grads, aux


def test_only_chosen_tokens_are_replaced(learned):
  """And a draw of the original is no replacement."""
  rows, problem, _, (read, _, metrics) = learned
  replaced = 0
  for b in range(len(read)):
    at = problem.positions_BxP[b][problem.weights["nll"][b] > 0]
    changed = np.flatnonzero(read[b] != rows.tokens_BxL[b])
    assert np.all(np.isin(changed, at))
    replaced += len(changed)
  assert 0 < replaced < problem.weights["nll"].sum()
  assert np.sum(metrics["replaced_rate"]) == replaced


def test_no_gradient_flows_through_the_draw(learned):
  """Embeddings learn from both terms, the stacks from their own."""
  _, _, grads, (_, scale, _) = learned
  assert scale == 50

  def learns(name):
    leaves = jax.tree.leaves(grads[name])
    return [any(np.any(leaf[term]) for leaf in leaves) for term in (0, 1)]

  assert learns("embedder_main") == [True, True]
  assert learns("stack_generator") == [True, False]
  assert learns("output_generator") == [True, False]
  assert learns("stack_main") == [False, True]
  assert learns("heads_replaced") == [False, True]
  assert set(grads) == {
    "embedder_main",
    "heads_replaced",
    "output_generator",
    "stack_generator",
    "stack_main",
  }


def test_the_draw_is_from_the_softmax():
  n = 30000
  logits = np.random.default_rng(0).normal(0, 1.5, 8)
  chance = np.exp(logits) / np.sum(np.exp(logits))
  keys = jax.random.key_data(jax.random.split(jax.random.key(0), n))
  logp = np.broadcast_to(np.float32(np.log(chance)), (n, 2, 8))
  drawn = np.asarray(jax.jit(rtd.draw)(keys, logp))
  table = np.zeros((8, 8))  # two positions of a row, independent
  np.add.at(table, (drawn[:, 0], drawn[:, 1]), 1)
  expected = n * np.outer(chance, chance)
  assert scipy.stats.chisquare(table.sum(1), n * chance).pvalue > 1e-4
  common = expected > 5
  error = (table - expected)[common] / np.sqrt(expected[common])
  assert np.max(np.abs(error)) < 4.5


def test_the_generator_is_narrower_and_reads_the_same_embeddings():
  """ELECTRA-small (table 6): 256 wide, 4 heads, 1024 in the feed-forward."""
  trunk = Trunk(width=256, heads=4, feedforward=1024, embedding_width=128)
  small = ReplacedTokenDetection().stacks(trunk)["generator"]
  assert (small.width, small.heads, small.feedforward) == (64, 1, 256)
  assert (small.embedding_width, small.embeddings) == (128, "main")
  assert small.layers == trunk.layers


def test_the_score_is_the_energy(tiny):
  """log P(original) = log(1 - sigmoid(z)) of each token of the text."""
  objective, spec = ReplacedTokenDetection(), tiny.spec("encoder", 12)
  network = tiny.network(objective, spec)
  params = tiny.parameters(objective, spec, network)
  rows = tiny.rows([[12], [9]], 12, end=False)
  scores = tiny.score(objective, spec, network)(params, rows)

  def logits(net, rows):
    return net.head("replaced", net.hidden(objective.read(rows, spec).inputs))

  z = np.float64(tiny.apply(network, logits)(params, rows)[..., 0])
  want = np.log(1 - 1 / (1 + np.exp(-z)))
  want[rows.tokens_BxL < tiny.text_ids[0]] = 0
  np.testing.assert_allclose(scores, want, 0, 1e-5)
