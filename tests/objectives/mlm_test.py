"""Masked LM: what is chosen, and what the network reads."""

from __future__ import annotations

import numpy as np
import pytest

from lm_jax.objectives.mlm import MaskedLM


@pytest.fixture(scope="module")
def rows(tiny):
  rng = np.random.default_rng(0)
  pieces = [[n, 38 - n] for n in rng.integers(4, 34, 60)]
  pieces += [[n] for n in range(1, 41)]
  return tiny.rows(pieces, seed=1)


@pytest.mark.parametrize("unit", ["token", "word", "span"])
def test_what_is_chosen(tiny, rows, unit):
  objective = MaskedLM(unit=unit)
  taken = budget = 0
  for seed in range(4):
    problem = tiny.make(objective, tiny.spec("encoder"), rows, seed)
    reads, targets = problem.inputs.tokens_BxT, problem.targets_BxP
    for b in range(len(rows.tokens_BxL)):
      slots = problem.weights["nll"][b] > 0
      at = problem.positions_BxP[b][slots]
      text = np.flatnonzero(rows.tokens_BxL[b] >= tiny.text_ids[0])
      most = min(len(text), max(1, round(0.15 * len(text))))
      assert np.all(np.isin(at, text)) and np.all(np.diff(at) > 0)
      np.testing.assert_array_equal(targets[b][slots], rows.tokens_BxL[b][at])
      changed = np.flatnonzero(reads[b] != rows.tokens_BxL[b])
      assert np.all(np.isin(changed, at))
      assert len(at) <= most if unit == "word" else len(at) == most
      if unit == "word":
        words = rows.word_BxL[b]
        whole = text[np.isin(words[text], words[at])]
        np.testing.assert_array_equal(at, whole)
      taken, budget = taken + len(at), budget + most
  assert taken > 0.8 * budget  # words of 1.6 tokens do not always fit


def test_static_masks_are_a_rows_own(tiny, rows):
  objective = MaskedLM(dynamic=False)
  spec = tiny.spec("encoder")
  first = tiny.make(objective, spec, rows, 0)
  other = tiny.make(objective, spec, rows, 1)
  np.testing.assert_array_equal(
    first.inputs.tokens_BxT, other.inputs.tokens_BxT
  )
  at = first.positions_BxP[:60][first.weights["nll"][:60] > 0]
  assert len(np.unique(at)) > 30  # rows are not all masked alike
