"""Permutation LM: the order, and an explicit two-stream network."""

from __future__ import annotations

import functools

import numpy as np
import pytest
import scipy.special
import scipy.stats

from lm_jax.objectives.permutation_lm import PermutationLM
from lm_jax.types import NEVER

PIECES = [[14, 12], [40], [9, 8, 11], [19]]


@functools.cache
def problem_of(tiny, context):
  rows = tiny.rows(PIECES, distinct=True)
  objective = PermutationLM(context=context)
  return rows, tiny.make(objective, tiny.spec("encoder"), rows)


@pytest.mark.parametrize("context", ["mutual", "ordered"])
def test_the_last_of_the_order_are_predicted(tiny, context):
  rows, problem = problem_of(tiny, context)
  inputs, length = problem.inputs, tiny.length
  for b in range(len(PIECES)):
    text = np.flatnonzero(rows.tokens_BxL[b] >= tiny.text_ids[0])
    slots = np.flatnonzero(problem.weights["nll"][b])
    rank = inputs.key_rank_BxT[b, :length]
    assert len(slots) == len(text) // 6
    targets = [
      i for i in text if rows.tokens_BxL[b, i] in problem.targets_BxP[b][slots]
    ]
    others = np.setdiff1d(text, targets)
    count = len(text) if context == "ordered" else len(slots)
    assert sorted(rank[targets]) == list(
      range(count - len(slots) + 1, count + 1)
    )
    if context == "ordered":
      assert sorted(rank[others]) == list(range(1, len(others) + 1))
    else:
      assert not np.any(rank[others])
    assert not np.any(rank[np.setdiff1d(np.arange(length), text)])
    # Queries are seen by nobody, and see less than their target does.
    np.testing.assert_array_equal(inputs.key_rank_BxT[b, length:], NEVER)
    for k, slot in enumerate(slots):
      q = problem.positions_BxP[b, slot]
      assert inputs.tokens_BxT[b, q] == tiny.specials.mask
      assert inputs.query_rank_BxT[b, q] == rank[targets[k]] - 1


def test_the_order_is_uniform(tiny):
  """Each of the six places is last, first and second equally often."""
  rows = tiny.rows([[7]] * 3000, end=False)
  problem = tiny.make(
    PermutationLM(context="ordered", K=2), tiny.spec("encoder"), rows
  )
  rank = problem.inputs.key_rank_BxT[:, 1:7]
  assert np.all(np.sort(rank, axis=1) == np.arange(1, 7))
  for place in (0, 1, 5):
    found = np.bincount(np.argsort(rank, axis=1)[:, place], minlength=6)
    assert scipy.stats.chisquare(found).pvalue > 1e-4


class TwoStreams:
  """Yang et al. 2019, section 2.3, in float64 NumPy, from flax parameters.

  h_i^(m) = Attention(Q = h_i, KV = h_j for j up to i in the order)
  g_i^(m) = Attention(Q = g_i, KV = h_j for j before i in the order)
  """

  def __init__(self, params, heads, epsilon=1e-5):
    self.params = params
    self.table = np.float64(params["embedder_main"]["embedding"])
    self.heads, self.epsilon = heads, epsilon

  def norm(self, x, p):
    x = x - x.mean(-1, keepdims=True)
    x = x / np.sqrt(np.mean(x * x, -1, keepdims=True) + self.epsilon)
    return x * np.float64(p["scale"]) + np.float64(p["bias"])

  def split(self, x, p):
    y = x @ np.float64(p["kernel"])
    return y.reshape(len(x), self.heads, -1)

  def rotate(self, x, position):
    """Pairs (k, k + K/2) turn by position * 10000^(-2k/K)."""
    half = x.shape[-1] // 2
    turn = np.exp(
      1j * position[:, None, None] * 10000.0 ** -(np.arange(half) / half)
    )
    z = (x[..., :half] + 1j * x[..., half:]) * turn
    return np.concatenate([z.real, z.imag], axis=-1)

  def attend(self, q, k, v, sees):
    out = np.zeros_like(q)
    for i, h in np.ndindex(q.shape[:2]):
      if np.any(sees[i]):
        score = k[sees[i], h] @ q[i, h] / np.sqrt(q.shape[-1])
        weight = np.exp(score - score.max())
        out[i, h] = weight / weight.sum() @ v[sees[i], h]
    return out.reshape(len(q), -1)

  def logits(self, tokens, position, sees, targets, target_sees, mask):
    """Of each target [n, V].

    Args:
      tokens, position: [T].
      sees: [T, T]; does content token i see content token j?
      targets: [n], indices; target_sees: [n, T].
      mask: the token whose embedding queries start from.
    """
    h = self.table[tokens]
    g = np.repeat(self.table[[mask]], len(targets), axis=0)
    blocks = self.params["stack_main"]["blocks"]
    for m in range(sum(name.startswith("layer_") for name in blocks)):
      block = blocks[f"layer_{m}"]
      p = block["attention"]
      h_norm = self.norm(h, block["attention_norm"])
      g_norm = self.norm(g, block["attention_norm"])
      k = self.rotate(self.split(h_norm, p["key"]), position)
      v = self.split(h_norm, p["value"])
      q_h = self.rotate(self.split(h_norm, p["query"]), position)
      q_g = self.rotate(self.split(g_norm, p["query"]), position[targets])
      out = np.float64(p["out"]["kernel"])
      h = h + self.attend(q_h, k, v, sees) @ out
      g = g + self.attend(q_g, k, v, target_sees) @ out
      h, g = self.forward(h, block), self.forward(g, block)
    return self.norm(g, blocks["final_norm"]) @ self.table.T

  def forward(self, x, block):
    p = block["feedforward"]
    y = self.norm(x, block["feedforward_norm"]) @ np.float64(p["up"]["kernel"])
    y = 0.5 * y * (1 + np.tanh(np.sqrt(2 / np.pi) * (y + 0.044715 * y**3)))
    return x + y @ np.float64(p["down"]["kernel"])


@functools.cache
def network_of(tiny):
  """The network, its parameters, and a compiled (params, problem) -> logits."""
  objective, spec = PermutationLM(), tiny.spec("encoder")
  network = tiny.network(objective, spec, layers=2)

  def logits(net, problem):
    hidden = net.hidden(problem.inputs)
    return net.head("vocabulary", hidden, problem.positions_BxP)

  params = tiny.parameters(objective, spec, network)
  return network, params, tiny.apply(network, logits)


@pytest.mark.parametrize("context", ["mutual", "ordered"])
def test_one_stream_is_two_streams(tiny, context):
  _, params, logits = network_of(tiny)
  rows, problem = problem_of(tiny, context)
  got = np.asarray(logits(params, problem))
  reference = TwoStreams(params, heads=2)
  compared = 0
  for b in range(len(PIECES)):
    rank = problem.inputs.key_rank_BxT[b, : tiny.length]
    for s in np.unique(rows.segment_BxL[b][rows.segment_BxL[b] > 0]):
      inside = np.flatnonzero(rows.segment_BxL[b] == s)
      tokens, order = rows.tokens_BxL[b][inside], rank[inside]
      slots = [
        p
        for p in np.flatnonzero(problem.weights["nll"][b])
        if problem.targets_BxP[b, p] in tokens
      ]
      if not slots:
        continue
      is_target = tokens == problem.targets_BxP[b, slots][:, None]
      targets = np.argmax(is_target, axis=1)
      want = reference.logits(
        tokens,
        np.arange(len(inside)),
        order[None, :] <= order[:, None],
        targets,
        order[None, :] < order[targets, None],
        tiny.specials.mask,
      )
      np.testing.assert_allclose(got[b, slots], want, 0, 1e-5)
      compared += len(slots)
  assert compared == sum(problem.weights["nll"].sum(axis=1))


@pytest.mark.parametrize("variant", ["original", "within_word"])
def test_score(tiny, variant):
  """Each token last in the order, or before the rest of its word."""
  network, params, _ = network_of(tiny)
  objective = PermutationLM(pseudo_likelihood=variant)
  rows = tiny.rows([[10], [12]], 12, end=False)
  score = tiny.score(objective, tiny.spec("encoder", 12), network)
  got = np.asarray(score(params, rows))
  reference = TwoStreams(params, heads=2)
  for b, n in enumerate((10, 12)):
    tokens, word = rows.tokens_BxL[b, :n], rows.word_BxL[b, :n]
    for i in range(1, n):
      late = np.arange(n) == i
      if variant == "within_word":
        late |= (word == word[i]) & (np.arange(n) > i)
      # What is not hidden sees no hidden token, on either stream.
      sees = late[:, None] | ~late[None, :]
      want = reference.logits(
        tokens,
        np.arange(n),
        sees,
        np.array([i]),
        ~late[None, :],
        tiny.specials.mask,
      )
      assert got[b, i] == pytest.approx(
        scipy.special.log_softmax(want[0])[tokens[i]], abs=1e-5
      )
  assert not np.any(got[0, 10:]) and not np.any(got[:, 0])
