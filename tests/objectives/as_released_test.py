"""Options that do as the released code does, where the defaults do not."""

from __future__ import annotations

import dataclasses
import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special
import scipy.stats
import toy

from lm_jax.config import budget as budget_lib
from lm_jax.objectives import corrupt, hybrid, rtd
from lm_jax.objectives.denoising import Denoising
from lm_jax.objectives.hybrid import Hybrid
from lm_jax.objectives.permutation_lm import PermutationLM
from lm_jax.objectives.rtd import ReplacedTokenDetection
from lm_jax.training import counter
from lm_jax.training.program import Program


def test_bart_hides_whole_words(tiny):
  """round(0.3 W) of W words, in spans of words with one [MASK] each."""
  objective = Denoising(unit="word", shuffle=False)
  rows = tiny.rows([[40], [25], [20, 18]] * 2, distinct=True)
  by_segment = tiny.by_segment(
    tiny.make(objective, tiny.spec("encoder_decoder"), rows)
  )
  texts = tiny.texts(rows)
  for b, parts in enumerate(by_segment):
    word = dict(
      zip(rows.tokens_BxL[b].tolist(), rows.word_BxL[b].tolist(), strict=True)
    )
    gone, words = set(), set()
    for s, text in texts[b].items():
      context, answer = parts[s]
      assert answer.tolist() == text.tolist()
      left = context.tolist()
      plain = [t for t in text.tolist() if t != tiny.specials.end]
      hidden = [t for t in plain if t not in left]
      # A word is hidden whole or not at all.
      kept = {word[t] for t in plain if t in left}
      assert not kept & {word[t] for t in hidden}
      gone |= {word[t] for t in hidden}
      words |= {word[t] for t in plain}
      # What is hidden in a row of words has one [MASK], or one and an empty
      # span's beside it.
      runs = 1 + np.sum(np.diff(np.flatnonzero(np.isin(text, hidden))) > 1)
      masks = left.count(tiny.specials.mask)
      assert masks >= (runs if hidden else 0)
    assert len(gone) == round(0.3 * len(words))


def test_bart_puts_random_tokens_for_some_spans(tiny):
  rows = tiny.rows([[40]] * 200, distinct=False)
  rows.tokens_BxL[tiny.is_text(rows.tokens_BxL)] = tiny.text_ids[0]
  objective = Denoising(random=0.1, shuffle=False)
  problem = tiny.make(objective, tiny.spec("encoder_decoder"), rows)
  source = problem.source.tokens_BxT
  masks = np.sum(source == tiny.specials.mask)
  others = np.sum(np.isin(source, tiny.text_ids[1:]))
  # One of the random tokens is that which the texts have.
  share = 0.1 * (1 - 1 / len(tiny.text_ids))
  found = scipy.stats.binomtest(int(others), int(masks + others), share)
  assert found.pvalue > 1e-3


def test_gpt_bert_masks_spans_of_one_to_three():
  tile = jax.jit(lambda keys: corrupt.uniform_tiles(keys, 90, 3))
  unit_BxL = np.asarray(tile(jax.random.split(jax.random.key(0), 300)))
  assert np.all(unit_BxL[:, 0] == 0)
  step = np.diff(unit_BxL, axis=1)
  assert set(np.unique(step)) <= {0, 1}
  # All but the last of a row, which its end may cut.
  sizes = np.concatenate([np.bincount(row)[:-1] for row in unit_BxL])
  counts = np.bincount(sizes, minlength=4)[1:]
  assert counts.sum() == sizes.size and len(counts) == 3
  assert scipy.stats.chisquare(counts).pvalue > 1e-3


def test_gpt_bert_treats_a_span_alike(tiny):
  keys = jax.random.split(jax.random.key(1), 200)
  unit = np.broadcast_to(np.arange(30) // 3, (200, 30))
  tokens = np.full((200, 30), tiny.text_ids[0])
  spec = tiny.spec("prefix_decoder", 30)
  out = np.asarray(
    corrupt.mask_out(
      keys, tokens, np.ones_like(unit, bool), spec, unit_BxL=unit
    )
  ).reshape(200, 10, 3)
  masked = out == tiny.specials.mask
  assert np.all(masked == masked[:, :, :1])
  found = scipy.stats.binomtest(int(masked[:, :, 0].sum()), 2000, 0.8)
  assert found.pvalue > 1e-3


@pytest.mark.parametrize("spent", [0.0, 0.4, 1.0])
def test_gpt_berts_rate_falls_with_the_budget(tiny, spent):
  objective = Hybrid(rate=0.3, final_rate=0.15, longest_span=3)
  spec = tiny.spec("prefix_decoder")
  objective.check(spec, 8, 1)
  rows = tiny.rows([[40], [30], [22, 12], [9]] * 2)
  make = jax.jit(lambda key, spent: objective.make(key, rows, spec, spent))
  problem = jax.device_get(make(jax.random.key(0), spent))
  causal_B = np.any(problem.inputs.key_rank_BxT, axis=1)
  for k, b in enumerate(np.flatnonzero(~causal_B)):
    there = problem.weights["masked"][k] > 0
    text = np.sum(tiny.is_text(rows.tokens_BxL[b]))
    assert there.sum() == round((0.3 - 0.15 * spent) * text)
    at = problem.extra["at_BxP"][k][there] + 1
    targets = problem.extra["targets_BxP"][k][there]
    np.testing.assert_array_equal(targets, rows.tokens_BxL[b, at])


@pytest.mark.parametrize("budget", ["steps:20", "tokens:1000"])
def test_the_step_tells_what_is_spent(budget):
  plan = toy.program("hybrid").plan
  objective = Hybrid(rate=0.4, final_rate=0.1)
  spent = budget_lib.Budget.parse(budget)
  plan = dataclasses.replace(plan, objective=objective, budget=spent)
  program = Program(plan)
  rows, state = toy.rows_for(program), toy.start(program)
  late = dataclasses.replace(state, tokens=jnp.uint32([1000, 0]))
  found = []
  for fraction, before in ((0.0, state), (1.0, late)):
    after, _ = toy.step(program, before, rows, fraction)
    found.append(counter.value(after.targets))
  # Half of the rows are causal, and their targets stay as many.
  masked = rows.tokens_BxL[1::2]
  text = [np.sum(~np.isin(row, toy.SPECIALS.ids) & (row > 0)) for row in masked]
  least = sum(round(0.4 * n) - round(0.1 * n) for n in text)
  assert abs(found[0] - found[1] - least) <= 4


def test_the_z_loss_is_that_of_a_float64_formula():
  rng = np.random.default_rng(0)
  logits = rng.normal(0, 3, (2, 5, 11))
  targets = rng.integers(0, 11, (2, 5))
  z = scipy.special.logsumexp(logits, axis=2)
  nll = z - np.take_along_axis(logits, targets[:, :, None], 2)[:, :, 0]
  apply = types.SimpleNamespace(
    head=lambda name, hidden, positions: jnp.float32(logits),
    nll=lambda *_: jnp.float32(nll),
  )
  for weight in (0.0, 1e-4, 0.1):
    found = hybrid._nll(apply, weight, None, targets, None)
    np.testing.assert_allclose(found, nll + weight * z**2, rtol=1e-5)


def test_electra_draws_positions_with_repeats(tiny):
  rows = tiny.rows([[40]] * 300, end=False)
  objective = ReplacedTokenDetection(rate=0.4, repeats=True)
  problem = tiny.make(objective, tiny.spec("encoder"), rows)
  there = problem.weights["nll"] > 0
  # Of all tokens, the boundary included.
  assert np.all(there.sum(axis=1) == round(0.4 * 40))
  at = problem.positions_BxP
  assert at.min() >= 1 and at.max() <= 39  # of the text
  np.testing.assert_array_equal(
    problem.targets_BxP, np.take_along_axis(rows.tokens_BxL, at, 1)
  )
  counts = np.bincount(at.ravel(), minlength=40)[1:]
  assert scipy.stats.chisquare(counts).pvalue > 1e-3
  distinct = np.array([len(set(row)) for row in at])
  draws = np.random.default_rng(0).integers(0, 39, (5000, 16))
  expected = np.mean([len(set(row)) for row in draws])
  error = 4 * distinct.std() / np.sqrt(len(distinct))
  assert distinct.mean() == pytest.approx(expected, abs=error)
  # A position is masked unless each of its draws leaves it.
  left = masked = 0
  for b, row in enumerate(at):
    for place, times in zip(*np.unique(row, return_counts=True), strict=True):
      if times == 1:
        reads = problem.inputs.tokens_BxT[b, place]
        masked += reads == tiny.specials.mask
        left += reads != tiny.specials.mask
  assert scipy.stats.binomtest(masked, masked + left, 0.85).pvalue > 1e-3
  first = np.asarray(rtd.first_of(jnp.asarray(at)))
  for row, found in zip(at.tolist(), first, strict=True):
    assert found.tolist() == [x not in row[:i] for i, x in enumerate(row)]


@pytest.mark.parametrize("size", [8, 16])
def test_xlnets_order_is_the_same_in_each_block(tiny, size):
  """Blocks follow one another; their positions have one order for all."""
  objective = PermutationLM(K=2, perm_size=size)
  spec = tiny.spec("encoder")
  objective.check(spec, 8, 1)
  rows = tiny.rows([[40], [30], [22, 12]] * 4, end=False)
  problem = tiny.make(objective, spec, rows)
  orders = set()
  for b in range(len(rows.tokens_BxL)):
    rank = problem.inputs.key_rank_BxT[b, : tiny.length]
    target = np.flatnonzero(rank)
    text = np.flatnonzero(tiny.is_text(rows.tokens_BxL[b]))
    assert len(target) == len(text) // 2 and set(target) <= set(text)
    assert len(set(rank[target])) == len(target)
    before = {}
    for i in target:
      for j in target:
        if i // size < j // size:
          assert rank[i] < rank[j]
        elif i // size == j // size and i != j:
          pair = (i % size, j % size)
          assert before.setdefault(pair, rank[i] < rank[j]) == (
            rank[i] < rank[j]
          )
    orders.add(tuple(sorted(before.items())))
    # A query sees the others that are not predicted, and those before it.
    slots = np.flatnonzero(problem.weights["nll"][b])
    at = problem.positions_BxP[b, slots]
    np.testing.assert_array_equal(
      np.sort(problem.inputs.query_rank_BxT[b, at]), np.sort(rank[target]) - 1
    )
  assert len(orders) == len(rows.tokens_BxL)
