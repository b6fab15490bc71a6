"""Denoising: the context is the text with holes, the answer all of it."""

from __future__ import annotations

import functools
import itertools

import jax
import numpy as np
import pytest
import scipy.stats

from lm_jax.objectives import denoising
from lm_jax.objectives.denoising import Denoising

LENGTH = 40
PIECES = [[40], [25, 15], [12, 14, 14], [20], [9], [2, 30], [8, 8, 8, 8, 8]]


@functools.cache
def made(tiny, architecture, shuffle, seed):
  """Rows of distinct tokens, an [UNK] in one, and by segment their parts."""
  rows = tiny.rows(PIECES, distinct=True, seed=seed)
  rows.tokens_BxL[1, 4] = tiny.specials.unknown
  objective = Denoising(shuffle=shuffle)
  spec = tiny.spec(architecture)
  objective.check(spec, 8, 1)
  problem = tiny.make(objective, spec, rows, seed)
  return rows, tiny.by_segment(problem)


def holes(tiny, context, text):
  """Tokens hidden and [MASK]s before each kept token, and at the end."""
  place = {int(token): i for i, token in enumerate(text)}
  found, masks, last = [], 0, -1
  for token in context.tolist():
    if token == tiny.specials.mask:
      masks += 1
    else:
      found.append((place[token] - last - 1, masks))
      masks, last = 0, place[token]
  return [*found, (len(text) - last - 1, masks)]


@pytest.mark.parametrize(
  "architecture", ["causal_decoder", "prefix_decoder", "encoder_decoder"]
)
def test_infilling(tiny, architecture):
  """One [MASK] for each span, and some for spans of no token."""
  for seed in range(4):
    rows, by_segment = made(tiny, architecture, False, seed)
    texts = tiny.texts(rows)
    for b, parts in enumerate(by_segment):
      hidden = 0
      for s, text in texts[b].items():
        context, answer = parts[s]
        assert answer.tolist() == text.tolist()
        for gone, masks in holes(tiny, context, text):
          # A span of no token may stand beside another.
          assert masks in ((1, 2) if gone else (0, 1))
          hidden += gone
      count = np.sum(tiny.is_text(rows.tokens_BxL[b]))
      assert hidden == round(0.3 * count)


def test_sentences_move_as_a_whole(tiny):
  """Within their document; what is not text stays where it is."""
  moved = 0
  for seed in range(4):
    rows, by_segment = made(tiny, "prefix_decoder", True, seed)
    texts = tiny.texts(rows)
    for b, parts in enumerate(by_segment):
      sentence = dict(
        zip(
          rows.tokens_BxL[b].tolist(),
          rows.sentence_BxL[b].tolist(),
          strict=True,
        )
      )
      for s, text in texts[b].items():
        context, answer = parts[s]
        assert answer.tolist() == text.tolist()
        kept = context[context != tiny.specials.mask]
        assert set(kept.tolist()) <= set(text.tolist())
        if text[-1] == tiny.specials.end:
          assert context[-1] == tiny.specials.end
        groups = [
          (number, [int(token) for token in tokens])
          for number, tokens in itertools.groupby(
            kept[kept != tiny.specials.end].tolist(), sentence.get
          )
        ]
        numbers = [number for number, _ in groups]
        assert len(set(numbers)) == len(numbers)
        moved += numbers != sorted(numbers)
        place = {int(token): i for i, token in enumerate(text)}
        for _, tokens in groups:
          order = [place[token] for token in tokens]
          assert order == sorted(order)
  assert moved > 10


def test_the_order_of_sentences_is_uniform(tiny):
  rows = tiny.rows([[7]] * 1200, end=False)
  rows.sentence_BxL[:, 1:7] = [0, 0, 1, 1, 2, 2]
  rows.tokens_BxL[:, 1:7] = 200 + np.arange(6)
  shuffle = jax.jit(
    lambda keys, rows: denoising.shuffle_sentences(
      keys, rows, tiny.spec("encoder")
    )
  )
  keys = jax.random.split(jax.random.key(0), 1200)
  tokens = np.asarray(shuffle(keys, rows).tokens_BxL)
  np.testing.assert_array_equal(tokens[:, 2:7:2], tokens[:, 1:7:2] + 1)
  orders, counts = np.unique(tokens[:, 1:7:2], axis=0, return_counts=True)
  assert len(orders) == 6
  assert scipy.stats.chisquare(counts).pvalue > 1e-4


def test_span_lengths_are_poisson():
  draw = jax.jit(lambda keys: denoising.poisson(keys, 3.0, 100))
  found = np.asarray(draw(jax.random.split(jax.random.key(0), 200))).ravel()
  k = np.arange(10)
  chance = np.append(
    scipy.stats.poisson.pmf(k, 3), scipy.stats.poisson.sf(9, 3)
  )
  observed = np.bincount(np.minimum(found, 10), minlength=11)
  assert scipy.stats.chisquare(observed, chance * found.size).pvalue > 1e-4
  assert found.mean() == pytest.approx(3, abs=4 * np.sqrt(3 / found.size))
  assert found.var() == pytest.approx(3, rel=0.05)


def test_holes_are_as_many_as_the_draws_say(tiny):
  """As many [MASK]s as Poisson numbers reach 30 % of 100 tokens."""
  rows = tiny.rows([[101]] * 300, 101, end=False)
  spec = tiny.spec("encoder_decoder", 101)
  problem = tiny.make(Denoising(shuffle=False), spec, rows)
  masks = np.sum(problem.source.tokens_BxT == tiny.specials.mask, axis=1)
  rng = np.random.default_rng(0)
  draws = np.cumsum(rng.poisson(3, (20000, 60)), axis=1)
  want = 1 + np.argmax(draws >= 30, axis=1)  # draws until 30 is reached
  error = want.std() / np.sqrt(len(masks))
  assert abs(masks.mean() - want.mean()) < 4 * error
  assert masks.std() == pytest.approx(want.std(), rel=0.2)
