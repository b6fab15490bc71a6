"""Prefix LM: where the cut is, and what stands on its two sides."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats

from lm_jax.objectives.prefix_lm import PrefixLM


@pytest.mark.parametrize("architecture", ["prefix_decoder", "encoder_decoder"])
def test_prefix_and_rest_are_the_text(tiny, architecture):
  rows = tiny.rows([[14, 12], [40], [9, 8, 11], [2, 3, 19], [1, 6]])
  for seed in range(5):
    problem = tiny.make(PrefixLM(), tiny.spec(architecture), rows, seed)
    stream = problem.source or problem.inputs
    for b, segments in enumerate(tiny.texts(rows)):
      segment = problem.inputs.segment_BxT[b]
      weight = problem.weights["nll"][b]
      for s, text in segments.items():
        answer = problem.targets_BxP[b][(weight > 0) & (segment == s)]
        inside = stream.segment_BxT[b] == s
        tokens, rank = stream.tokens_BxT[b][inside], stream.key_rank_BxT[b]
        if problem.source is None:
          # The row in place: the prefix is what has rank 0.
          np.testing.assert_array_equal(tokens[1:], text)
          tokens = tokens[: np.sum(rank[inside] == 0)]
          later = rank[inside][len(tokens) :]
          assert later.tolist() == list(range(1, 1 + len(later)))
        assert tokens[0] == tiny.specials.boundary
        assert np.append(tokens[1:], answer).tolist() == text.tolist()
        assert len(answer) >= min(1, len(text))


@pytest.mark.parametrize("architecture", ["prefix_decoder", "encoder_decoder"])
def test_cuts_are_uniform_from_none_to_all_but_one(tiny, architecture):
  rows = tiny.rows([[9, 9]] * 2000)
  problem = tiny.make(PrefixLM(), tiny.spec(architecture), rows)
  weight, segment = problem.weights["nll"], problem.inputs.segment_BxT
  first, second = (
    np.sum(weight * (segment == s), axis=1).astype(int) for s in (1, 2)
  )
  # Of eight tokens, one to eight are predicted; the two cuts are independent.
  table = np.zeros((8, 8))
  np.add.at(table, (first - 1, second - 1), 1)
  assert scipy.stats.chisquare(table.ravel()).pvalue > 1e-4
