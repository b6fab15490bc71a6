"""Sentence pairs: the layout [BOS] A [SEP] B [SEP], labels and whole words."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats

from lm_jax.objectives.mlm_nsp import MaskedLMNextSentence
from lm_jax.objectives.mlm_sop import MaskedLMSentenceOrder
from lm_jax.types import UsageError

LENGTH = 40


@pytest.fixture(scope="module")
def rows(tiny):
  """Documents of all lengths; one of a single sentence, one with [UNK]."""
  sizes = np.random.default_rng(0).integers(10, LENGTH + 1, 150)
  rows = tiny.rows([[n] for n in [LENGTH, *sizes]], LENGTH)
  rows.sentence_BxL[5] = 0
  rows.tokens_BxL[0, 7] = tiny.specials.unknown
  return rows


def halves(tiny, rows, b):
  """(token, word) of A and B: cut before the sentence nearest to the middle."""
  size = int(np.sum(rows.segment_BxL[b] > 0))
  sentence = rows.sentence_BxL[b]
  text = [
    i for i in range(1, size) if rows.tokens_BxL[b, i] != tiny.specials.end
  ]
  cuts = [i for i in text[1:] if sentence[i] != sentence[i - 1]]
  cut = min(cuts, key=lambda i: abs(2 * i - size), default=size)
  pairs = [(int(rows.tokens_BxL[b, i]), rows.word_BxL[b, i]) for i in text]
  count = sum(i < cut for i in text)
  return pairs[:count], pairs[count:]


def check_row(tiny, problem, b, first, second):
  """The row is [BOS] first [SEP] second [SEP]; whole words are masked."""
  specials, size = tiny.specials, LENGTH + 2
  second = second[: size - 3 - len(first)]
  reads = problem.inputs.tokens_BxT[b].copy()
  at = problem.positions_BxP[b][problem.weights["nll"][b] > 0]
  assert np.all(reads[at] == specials.mask)
  reads[at] = problem.targets_BxP[b][problem.weights["nll"][b] > 0]
  tokens = [specials.boundary, *(t for t, _ in first), specials.separator]
  types = [0] * len(tokens) + [1] * (len(second) + 1)
  tokens += [*(t for t, _ in second), specials.separator]
  padding = [0] * (size - len(tokens))
  assert reads.tolist() == tokens + padding
  assert problem.inputs.type_BxT[b].tolist() == types + padding
  segment = [1] * len(tokens) + padding
  assert problem.inputs.segment_BxT[b].tolist() == segment
  words = {1 + i: ("A", word) for i, (_, word) in enumerate(first)}
  words |= {
    2 + len(first) + i: ("B", word) for i, (_, word) in enumerate(second)
  }
  hidden = {words[i] for i in at.tolist()}
  assert {i for i in words if words[i] in hidden} == set(at.tolist())


@pytest.mark.parametrize("cls", [MaskedLMNextSentence, MaskedLMSentenceOrder])
def test_pairs(tiny, rows, cls):
  objective = cls(unit="word", masked=1.0, replaced=0.0)
  spec = tiny.spec("encoder", LENGTH)
  count = len(rows.tokens_BxL)
  parts = [halves(tiny, rows, b) for b in range(count)]
  changed = real = 0
  for seed in range(3):
    problem = tiny.make(objective, spec, rows, seed)
    for b in range(count):
      first, second = parts[b]
      _, other = parts[b - 1]
      label = problem.extra["label_B"][b]
      is_pair = bool(second) and (bool(other) or cls is MaskedLMSentenceOrder)
      assert problem.weights["pair"][b] == is_pair
      if is_pair and label:
        changed += 1
        if cls is MaskedLMSentenceOrder:
          first, second = second, first
        else:
          second = other
      real += is_pair
      check_row(tiny, problem, b, first, second)
  assert real > 0.9 * 3 * count
  assert scipy.stats.binomtest(changed, real, 0.5).pvalue > 1e-4


def test_a_single_row_has_no_other(tiny):
  """It would be its own next sentence, labelled as another's."""
  spec = tiny.spec("encoder", LENGTH)
  with pytest.raises(UsageError, match="--batch_size=1: mlm_nsp takes"):
    MaskedLMNextSentence().check(spec, 1, 1)
  MaskedLMSentenceOrder().check(spec, 1, 1)
