"""Likelihoods and bounds against all texts, subsets and orders of a toy."""

import functools
import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lm_jax.objectives import _likelihood
from lm_jax.objectives.clm import CausalLM
from lm_jax.objectives.hybrid import Hybrid
from lm_jax.objectives.mlm import MaskedLM
from lm_jax.objectives.mlm_nsp import MaskedLMNextSentence
from lm_jax.objectives.mlm_sop import MaskedLMSentenceOrder
from lm_jax.objectives.permutation_lm import PermutationLM
from lm_jax.objectives.prefix_lm import PrefixLM
from lm_jax.objectives.ul2 import MixtureOfDenoisers
from lm_jax.tasks import bits_per_byte
from lm_jax.types import ABSENT, Spec, Specials

# Four special tokens, one of them for all that is written seldom, and a
# vocabulary of three.
SPECIALS = Specials(
  pad=0,
  unknown=ABSENT,
  boundary=1,
  end=2,
  separator=ABSENT,
  mask=3,
  regular=3,
  sequential=3,
  extreme=3,
  first_sentinel=3,
  sentinels=1,
  start=1,
  before=(1,),
)
TEXT = (4, 5, 6)
LENGTH = 12


@functools.cache
def _toy(tiny, objective, architecture, layers=1):
  """A network that gives no probability to special tokens."""
  spec = Spec(architecture, LENGTH, 7, SPECIALS)
  network = tiny.network(objective, spec, layers, output_bias=True)
  params = tiny.parameters(objective, spec, network, seed=3)

  def without_specials(path, leaf):
    is_output = leaf.shape == (7,)
    return leaf.at[:4].set(-1e9) if is_output else leaf

  params = jax.tree_util.tree_map_with_path(
    without_specials, jax.tree.map(jnp.asarray, params)
  )
  return spec, network, params


def _rows(tiny, texts, end=True):
  """A row of [BOS] text [EOS] for each list of texts, its segments."""
  tokens = np.zeros((len(texts), LENGTH), int)
  segment = np.zeros((len(texts), LENGTH), int)
  for b, pieces in enumerate(texts):
    start = 0
    for number, piece in enumerate(pieces, 1):
      piece = [1, *piece, *([2] if end else [])]
      tokens[b, start : start + len(piece)] = piece
      segment[b, start : start + len(piece)] = number
      start += len(piece)
  return tiny.as_rows(tokens, segment)


def _log_likelihood(tiny, objective, architecture, rows, layers=2, draw=0):
  # Of two layers: what a token has seen may lead further.
  spec, network, params = _toy(tiny, objective, architecture, layers)

  def function(net, rows, draw):
    return objective.log_likelihood(net, rows, spec, draw)

  run = tiny.apply(network, function)
  return np.asarray(run(params, rows, np.uint32(draw)), np.float64)


EXACT = [
  (CausalLM(), "causal_decoder"),
  (PrefixLM(), "prefix_decoder"),
  (PrefixLM(), "encoder_decoder"),
  (MixtureOfDenoisers(), "prefix_decoder"),
  (MixtureOfDenoisers(), "encoder_decoder"),
  (Hybrid(), "prefix_decoder"),
  (PermutationLM(), "encoder"),
  (PermutationLM(context="ordered"), "encoder"),
  (PermutationLM(perm_size=4), "encoder"),
]


@pytest.mark.parametrize(("objective", "architecture"), EXACT)
def test_probabilities_of_all_texts_add_up_to_1(tiny, objective, architecture):
  assert objective.likelihood().kind == "exact"
  texts = list(itertools.product(TEXT, repeat=3))
  rows = _rows(tiny, [[text] for text in texts])
  log_BxL = _log_likelihood(tiny, objective, architecture, rows)
  sums_B = log_BxL.sum(axis=1)
  assert np.exp(sums_B).sum() == pytest.approx(1, abs=1e-5)
  assert np.ptp(sums_B) > 0.1  # not uniform
  assert not log_BxL[:, [0, 4, 5]].any()  # [BOS], [EOS] and padding are free

  # The end is not seen, nor another piece of the row.
  bare = _rows(tiny, [[text] for text in texts], end=False)
  np.testing.assert_allclose(
    _log_likelihood(tiny, objective, architecture, bare)[:, :4],
    log_BxL[:, :4],
    atol=1e-5,
  )
  both = _rows(tiny, [[a, b] for a, b in itertools.pairwise(texts)])
  packed_BxL = _log_likelihood(tiny, objective, architecture, both)
  np.testing.assert_allclose(
    packed_BxL.sum(axis=1), sums_B[:-1] + sums_B[1:], atol=1e-5
  )


def test_permutation_lm_predicts_each_token_from_those_before_it(tiny):
  # In one layer it is no matter what the tokens before it have seen, so that
  # `fill`, with one blank after them, is a reference.
  objective, text = PermutationLM(), (4, 6, 5, 5, 6)
  (log_L,) = _log_likelihood(
    tiny, objective, "encoder", _rows(tiny, [[text]]), layers=1
  )
  spec, network, params = _toy(tiny, objective, "encoder")
  begun = [[[*text[:i], SPECIALS.mask]] for i in range(len(text))]
  fill = tiny.apply(
    network,
    lambda net, rows, at_BxP: objective.fill(net, rows, spec, at_BxP),
  )
  at_BxP = np.arange(1, len(text) + 1, dtype=np.int32)[:, None]
  logits_BxV = fill(params, _rows(tiny, begun, end=False), at_BxP)[:, 0]
  want_B = jax.nn.log_softmax(logits_BxV)[np.arange(len(text)), np.array(text)]
  np.testing.assert_allclose(log_L[1:6], want_B, atol=1e-5)


def test_hybrids_causal_rows_are_those_that_it_trains(tiny):
  objective = Hybrid()
  rows = _rows(tiny, [[(4, 5, 6, 6, 5, 4, 4)]] * 4, end=False)
  spec, network, params = _toy(tiny, objective, "prefix_decoder", 2)
  problem = objective.make(jax.random.key(0), rows, spec)
  loss = tiny.apply(
    network, lambda net, p: objective.loss(net, p, jax.random.key(0))
  )
  nll_BxL = loss(params, problem)["causal"].losses
  got = _log_likelihood(tiny, objective, "prefix_decoder", rows)
  weight_BxL = np.asarray(problem.weights["causal"])
  assert -got[0].sum() == pytest.approx(
    float((nll_BxL * weight_BxL)[0].sum()), rel=1e-5
  )


def _conditionals(tiny, objective, text):
  """log p(x_i | x without M) of every M, by the objective's own `fill`."""
  spec, network, params = _toy(tiny, objective, "encoder")
  n = len(text)
  sets = [
    m for k in range(1, n + 1) for m in itertools.combinations(range(n), k)
  ]
  masked = [[[3 if i in m else x for i, x in enumerate(text)]] for m in sets]
  rows = _rows(tiny, masked)
  fill = tiny.apply(
    network,
    lambda net, rows, at_BxP: objective.fill(net, rows, spec, at_BxP),
  )
  at_BxP = np.tile(np.arange(1, n + 1, dtype=np.int32), (len(sets), 1))
  logits_BxPxV = np.asarray(fill(params, rows, at_BxP), np.float64)
  log_BxPxV = logits_BxPxV - np.logaddexp.reduce(
    logits_BxPxV, axis=2, keepdims=True
  )
  return {
    m: {i: log_BxPxV[b, i, text[i]] for i in m} for b, m in enumerate(sets)
  }


def _over_orders(tiny, objective, text):
  """log p of a text in each order of its tokens."""
  known = _conditionals(tiny, objective, text)
  logs = []
  for order in itertools.permutations(range(len(text))):
    left = [tuple(sorted(order[t:])) for t in range(len(order))]
    logs.append(sum(known[m][i] for m, i in zip(left, order, strict=True)))
  return np.array(logs)


BOUNDED = [MaskedLM(), MaskedLMNextSentence(), MaskedLMSentenceOrder()]


@pytest.mark.parametrize("objective", BOUNDED)
def test_the_bound_is_the_mean_over_all_orders(tiny, objective):
  likelihood = objective.likelihood()
  assert likelihood.kind == "bound" and likelihood.draws == 2
  texts = list(itertools.product(TEXT, repeat=3))
  logs_BxO = np.array([_over_orders(tiny, objective, x) for x in texts])
  truth_B = np.log(np.exp(logs_BxO).mean(axis=1))
  assert np.exp(truth_B).sum() == pytest.approx(1, abs=1e-5)
  assert np.ptp(logs_BxO, axis=1).max() > 0.05  # orders differ
  bound_B = logs_BxO.mean(axis=1)
  assert (bound_B <= truth_B + 1e-9).all()

  draws_DxB = _draws(tiny, objective, _rows(tiny, [[x] for x in texts]), 400)
  error_B = draws_DxB.std(axis=0, ddof=1) / math.sqrt(len(draws_DxB))
  z_B = (draws_DxB.mean(axis=0) - bound_B) / error_B
  assert np.abs(z_B).max() < 4.5 and 0.5 < z_B.std() < 1.5


def _draws(tiny, objective, rows, count):
  """Estimates of each row: float64 [count, B]."""
  spec, network, params = _toy(tiny, objective, "encoder")

  def function(net, rows, draws):
    return jax.lax.map(
      lambda draw: objective.log_likelihood(net, rows, spec, draw).sum(axis=1),
      draws,
    )

  run = tiny.apply(network, function)
  return np.asarray(run(params, rows, np.arange(count, dtype=np.uint32)))


def test_the_standard_error_of_two_masks_covers_95_percent(tiny):
  rng = np.random.default_rng(0)
  texts = [[rng.choice(TEXT, rng.integers(4, 11))] for _ in range(128)]
  rows = _rows(tiny, texts)
  draws_DxB = _draws(tiny, MaskedLM(), rows, 600)
  counts = np.full(len(texts), 3)

  class Drawn:
    likelihood = MaskedLM.likelihood()

    def log_likelihood(self, rows, draw):
      return draws_DxB[2 * self.experiment + draw][:, None]

  scorer, off = Drawn(), []
  unit = math.log(2) * counts.sum()
  mean = -draws_DxB.mean(axis=0).sum() / unit  # of 600, so nearly exact
  for scorer.experiment in range(300):
    bits = bits_per_byte.measured(scorer, [rows], counts)
    off.append((bits.value - mean) / bits.error)
  # 300 experiments: the standard errors are 1.3 and 4 %.
  assert 0.91 < (np.abs(off) < 1.96).mean() < 0.98
  assert 0.85 < np.std(off) < 1.15


def test_pieces_of_a_row_have_masks_of_their_own(tiny):
  objective, pieces = MaskedLM(), [(4, 5, 6, 4), (6, 5, 4)]
  want = [_over_orders(tiny, objective, x).mean() for x in pieces]
  rows = _rows(tiny, [pieces])
  spec, network, params = _toy(tiny, objective, "encoder")

  def function(net, rows, draws):
    return jax.lax.map(
      lambda draw: objective.log_likelihood(net, rows, spec, draw)[0], draws
    )

  run = tiny.apply(network, function)
  log_DxL = np.asarray(run(params, rows, np.arange(2000, dtype=np.uint32)))
  sums_Dx2 = np.stack([log_DxL[:, :6].sum(1), log_DxL[:, 6:].sum(1)], axis=1)
  error = sums_Dx2.std(axis=0, ddof=1) / math.sqrt(len(sums_Dx2))
  assert (np.abs(sums_Dx2.mean(axis=0) - want) < 4 * error).all()
  # Each piece has every number of hidden tokens, whatever the other has.
  hidden_Dx2 = np.stack(
    [(log_DxL[:, :6] < 0).sum(1), (log_DxL[:, 6:] < 0).sum(1)], axis=1
  )
  counts, times = np.unique(hidden_Dx2, axis=0, return_counts=True)
  assert len(counts) == 4 * 3 and times.min() > 2000 / 12 * 0.6


def test_a_set_is_uniform_in_a_segment():
  eligible = np.array([[False, True, True, True, False, False, True, True]])
  segment = np.array([[1, 1, 1, 1, 1, 2, 2, 2]], np.int32)
  ranks, sizes = jax.vmap(
    lambda key: _likelihood._shuffled(key[None], eligible, segment)
  )(jax.random.split(jax.random.key(0), 3000))
  ranks, sizes = np.asarray(ranks[:, 0]), np.asarray(sizes[0, 0])
  assert sizes.tolist() == [3] * 5 + [2] * 3
  first = ranks[:, [1, 2, 3]]
  assert (np.sort(first, axis=1) == [0, 1, 2]).all()
  assert (np.sort(ranks[:, [6, 7]], axis=1) == [0, 1]).all()
  _, times = np.unique(first, axis=0, return_counts=True)
  assert len(times) == 6 and np.abs(times - 500).max() < 100


def test_a_draw_is_a_function_of_its_number_and_the_row(tiny):
  objective = MaskedLM()
  one = _rows(tiny, [[(4, 5, 6, 4, 5)], [(6, 6, 4, 5, 4)]])
  other = _rows(tiny, [[(6, 6, 4, 5, 4)], [(4, 4, 4, 5, 4)]])
  a, b = _draws(tiny, objective, one, 8), _draws(tiny, objective, other, 8)
  np.testing.assert_allclose(a[:, 1], b[:, 0], rtol=1e-6)
  assert len(np.unique(a[:, 0].round(4))) > 4


def test_who_has_none():
  from lm_jax.config import objective_class

  for name in ("rtd", "span_corruption", "denoising", "classify", "respond"):
    assert objective_class(name).likelihood() is None
