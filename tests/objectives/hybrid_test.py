"""Hybrid: two kinds of rows through one stack."""

from __future__ import annotations

import numpy as np
import pytest

from lm_jax.objectives.hybrid import Hybrid


@pytest.mark.parametrize("masked", ["mntp", "mlm"])
def test_the_kinds_of_rows(tiny, masked):
  objective = Hybrid(masked=masked, causal=0.25)
  rows = tiny.rows([[14, 12], [40], [9, 8, 11], [19]] * 2)
  spec = tiny.spec("prefix_decoder")
  objective.check(spec, 8, 2)
  problem = tiny.make(objective, spec, rows)
  inputs, extra = problem.inputs, problem.extra
  is_causal = np.any(inputs.key_rank_BxT, axis=1)
  # One in four, and alike in both halves of an accumulated batch.
  assert is_causal.tolist() == 2 * is_causal[:4].tolist()
  assert is_causal.sum() == 2
  for k, b in enumerate(np.flatnonzero(is_causal)):
    tokens, segment = rows.tokens_BxL[b], rows.segment_BxL[b]
    np.testing.assert_array_equal(inputs.tokens_BxT[b], tokens)
    np.testing.assert_array_equal(inputs.key_rank_BxT[b], np.arange(40))
    predicts = np.append(segment[1:] == segment[:-1], False) & (segment > 0)
    np.testing.assert_array_equal(problem.weights["causal"][k], predicts)
    targets = problem.targets_BxP[k][predicts]
    np.testing.assert_array_equal(targets, tokens[1:][predicts[:-1]])
  for k, b in enumerate(np.flatnonzero(~is_causal)):
    tokens = rows.tokens_BxL[b]
    there = problem.weights["masked"][k] > 0
    at = extra["at_BxP"][k][there] + (masked == "mntp")
    np.testing.assert_array_equal(extra["targets_BxP"][k][there], tokens[at])
    text = np.sum(tokens >= tiny.text_ids[0])
    assert len(at) == round(0.15 * text)
    changed = np.flatnonzero(inputs.tokens_BxT[b] != tokens)
    assert np.all(np.isin(changed, at))
    # The token before is of the same segment, the boundary token at least.
    assert np.all(rows.segment_BxL[b][at - 1] == rows.segment_BxL[b][at])
