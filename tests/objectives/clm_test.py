"""Causal LM: targets and weights, token by token."""

from __future__ import annotations

import dataclasses

import numpy as np

from lm_jax.objectives.clm import CausalLM
from lm_jax.types import CONTEXT


def test_each_token_predicts_the_next_of_its_segment(tiny):
  rows = tiny.rows([[14, 12], [40], [9, 8, 11]])
  part = rows.part_BxL.copy()
  part[0, :5] = CONTEXT
  rows = dataclasses.replace(rows, part_BxL=part)
  problem = tiny.make(CausalLM(), tiny.spec("causal_decoder"), rows)
  np.testing.assert_array_equal(problem.inputs.tokens_BxT, rows.tokens_BxL)
  assert problem.inputs.mask == "causal" and problem.positions_BxP is None
  for b, i in np.ndindex(rows.tokens_BxL.shape):
    predicts = (
      i + 1 < tiny.length
      and rows.segment_BxL[b, i] > 0
      and rows.segment_BxL[b, i + 1] == rows.segment_BxL[b, i]
      and part[b, i + 1] != CONTEXT
    )
    assert problem.weights["nll"][b, i] == predicts
    if predicts:
      assert problem.targets_BxP[b, i] == rows.tokens_BxL[b, i + 1]
