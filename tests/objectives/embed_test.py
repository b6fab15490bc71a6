"""Contrastive learning against NumPy, with each text read by itself."""

from __future__ import annotations

import itertools

import jax
import numpy as np
import pytest

from lm_jax.objectives.embed import NEGATIVE, PASSAGE, QUERY, Embed
from lm_jax.training import terms as terms_lib
from lm_jax.types import CONTEXT, PADDING, Rows

LENGTH = 48
# Pairs: numbers of the query, its passage and negatives. Two queries share a
# passage, one has two, one is asked twice, one is its own passage, and one
# passage is a negative elsewhere.
PAIRS = [
  [(0, 10), (1, 11, 12, 13)],
  [(0, 14), (2, 11), (3, 15, 10)],
  [(4, 16), (7, 7)],
  [(5, 14), (0, 10), (6, 17)],
]


def text(tiny, number):
  """The tokens of a text, the same wherever it stands."""
  rng = np.random.default_rng(number)
  body = rng.choice(tiny.text_ids, 3 + number % 4)
  return [tiny.specials.boundary, *body.tolist()]


def rows_of(tiny, packed, length=LENGTH):
  """Rows of pairs, a segment each."""
  shape = (len(packed), length)
  tokens = np.full(shape, tiny.specials.pad)
  fields = {"segment": np.zeros(shape), "sentence": np.zeros(shape)}
  label = np.full(shape, -1)
  for b, pairs in enumerate(packed):
    at = 0
    for segment, pair in enumerate(pairs, start=1):
      roles = [QUERY, PASSAGE, *[NEGATIVE] * (len(pair) - 2)]
      for number, role in zip(pair, roles, strict=True):
        ids = text(tiny, number)
        here = slice(at, at + len(ids))
        tokens[b, here], label[b, here] = ids, role
        fields["segment"][b, here] = segment
        fields["sentence"][b, here] = number
        at = here.stop
  part = np.where(fields["segment"] > 0, CONTEXT, PADDING)
  word = np.zeros(shape)
  values = (tokens, fields["segment"], word, fields["sentence"], part, label)
  return Rows(*(x.astype(np.int32) for x in values))


def vectors(tiny, objective, spec, network, params):
  """Of each text, read alone in a row of its own, by definition: float64."""
  found = {}
  for number in sorted(set(itertools.chain(*itertools.chain(*PAIRS)))):
    ids = text(tiny, number)
    tokens = np.full((1, LENGTH), tiny.specials.pad)
    tokens[0, : len(ids)] = ids
    rows = tiny.as_rows(tokens, np.arange(LENGTH)[None] < len(ids))

    def states(net, rows):
      problem = objective.read(rows, spec)
      return net.hidden(problem.inputs, problem.source)

    state_TxD = np.float64(
      tiny.apply(network, states)(params, rows)[0, : len(ids)]
    )
    found[number] = {
      "mean": state_TxD.mean(axis=0),
      "first": state_TxD[0],
      "last": state_TxD[-1],
    }[objective.pool]
  if objective.similarity == "cosine":
    found = {n: x / np.linalg.norm(x) for n, x in found.items()}
  return found


def expected(objective, vector):
  """The loss, pair by pair: who answers what is looked up by number."""
  pairs = list(itertools.chain(*PAIRS))
  answers = {(pair[0], pair[1]) for pair in pairs}

  def score(i, j):
    return vector[i] @ vector[j] / objective.temperature

  def log_mean(own, others):
    return np.log(np.sum(np.exp([own, *others]))) - own

  forward, backward, right = [], [], []
  for n, (query, passage, *_) in enumerate(pairs):
    own = score(query, passage)
    others = [
      score(query, other)
      for m, pair in enumerate(pairs)
      for k, other in enumerate(pair[1:])
      if (m, k) != (n, 0) and (query, other) not in answers
    ]
    forward.append(log_mean(own, others))
    right.append(own >= max(others))
    asked = [
      score(pair[0], passage)
      for m, pair in enumerate(pairs)
      if m != n and (pair[0], passage) not in answers
    ]
    backward.append(log_mean(own, asked))
  loss = np.mean(forward)
  if objective.symmetric:
    loss = (loss + np.mean(backward)) / 2
  return loss, np.mean(right)


def loss_of(tiny, objective, spec, network, params, packed):
  problem = tiny.make(objective, spec, rows_of(tiny, packed))

  def loss(net, problem):
    terms = objective.loss(net, problem, jax.random.key(0))
    return terms_lib.total(terms, problem, terms_lib.denominators(problem))

  return tiny.apply(network, loss)(params, problem)


@pytest.mark.parametrize(
  ("architecture", "options"),
  [
    ("encoder", {}),
    ("encoder", {"symmetric": True, "pool": "first", "temperature": 0.3}),
    ("causal_decoder", {"similarity": "dot", "pool": "last"}),
    ("prefix_decoder", {"symmetric": True}),
    ("encoder_decoder", {"temperature": 0.1}),
  ],
)
def test_the_loss_is_that_of_texts_read_alone(tiny, architecture, options):
  """So packing changes nothing, and no text sees another."""
  objective = Embed(**options)
  spec = tiny.spec(architecture, LENGTH)
  network = tiny.network(objective, spec)
  params = tiny.parameters(objective, spec, network)
  vector = vectors(tiny, objective, spec, network, params)
  wanted, right = expected(objective, vector)
  loss, metrics = loss_of(tiny, objective, spec, network, params, PAIRS)
  np.testing.assert_allclose(loss, wanted, rtol=2e-5)
  np.testing.assert_allclose(metrics["in_batch_accuracy"], right, rtol=1e-6)


@pytest.mark.parity
@pytest.mark.parametrize("symmetric", [False, True])
def test_it_is_multiple_negatives_ranking(tiny, symmetric):
  """The loss of sentence-transformers, and its gradient, written in torch."""
  import torch

  rng = np.random.default_rng(0)
  pairs = [(i, 20 + i, 40 + i) for i in range(6)]
  rows = rows_of(tiny, [pairs[:3], pairs[3:]], 90)
  objective = Embed(symmetric=symmetric)
  problem = tiny.make(objective, tiny.spec("encoder", 90), rows)
  state = rng.normal(size=(*rows.tokens_BxL.shape, 8)).astype(np.float32)

  class Given:
    def __init__(self, state):
      self.state = state

    def hidden(self, inputs, source=None, stack="main"):
      return self.state

  def loss(state):
    terms = objective.loss(Given(state), problem, jax.random.key(0))
    return terms_lib.total(terms, problem, terms_lib.denominators(problem))[0]

  ours, gradient = jax.value_and_grad(loss)(state)
  theirs = torch.tensor(state, requires_grad=True)
  segment = np.asarray(rows.sentence_BxL)
  there = rows.segment_BxL > 0
  vector = [
    theirs[torch.tensor((segment == n) & there)].mean(0)
    for n in (*range(6), *range(20, 26), *range(40, 46))
  ]
  vector = torch.nn.functional.normalize(torch.stack(vector), dim=-1)
  scores = vector[:6] @ vector[6:].T * 20.0
  labels = torch.arange(6)
  total = torch.nn.functional.cross_entropy(scores, labels)
  if symmetric:
    back = torch.nn.functional.cross_entropy(scores[:, :6].T, labels)
    total = (total + back) / 2
  total.backward()
  np.testing.assert_allclose(ours, total.item(), rtol=1e-5)
  np.testing.assert_allclose(gradient, theirs.grad, atol=1e-6)
