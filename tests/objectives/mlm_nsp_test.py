"""Sentence pairs: the layout [BOS] A [SEP] B [SEP], labels and whole words."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import scipy.stats

from lm_jax.objectives.mlm_nsp import MaskedLMNextSentence
from lm_jax.objectives.mlm_sop import MaskedLMSentenceOrder

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
def test_halves(tiny, rows, cls):
  """Rows cut in their middle, as they were."""
  objective = cls(unit="word", masked=1.0, replaced=0.0, pairs="halves")
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


def sentences(tiny, rows, b):
  """The sentences of a row: of each token, the id."""
  found = {}
  for token, sentence, segment in zip(
    rows.tokens_BxL[b],
    rows.sentence_BxL[b],
    rows.segment_BxL[b],
    strict=True,
  ):
    if segment and token not in (tiny.specials.boundary, tiny.specials.end):
      found.setdefault(int(sentence), []).append(int(token))
  return list(found.values())


def joined(parts):
  return [token for sentence in parts for token in sentence]


def cuts(parts):
  """The two texts of each place to cut between sentences."""
  return [(joined(parts[:i]), joined(parts[i:])) for i in range(1, len(parts))]


def parts_of(problem, b):
  """A and B, read from the row."""
  inputs = problem.inputs
  there = inputs.segment_BxT[b] > 0
  tokens, types = inputs.tokens_BxT[b][there], inputs.type_BxT[b][there]
  first, second = tokens[types == 0], tokens[types == 1]
  return first[1:-1].tolist(), second[:-1].tolist()


@pytest.fixture(scope="module")
def numbered(tiny):
  """Rows of distinct tokens, of nine documents, three rows each and more."""
  sizes = np.random.default_rng(1).integers(10, LENGTH + 1, 32)
  long = dataclasses.replace(tiny, vocabulary=2000)
  rows = long.rows([[n] for n in sizes], LENGTH, distinct=True)
  rows.sentence_BxL[5] = 0  # one sentence
  document = np.arange(len(sizes)) % 9
  segment = np.where(rows.segment_BxL > 0, 1 + document[:, None], 0)
  return dataclasses.replace(rows, segment_BxL=segment.astype(np.int32))


@pytest.mark.parametrize("short", [0.0, 1.0])
def test_next_sentences_are_whole_and_of_another_document(
  tiny, numbered, short
):
  objective = MaskedLMNextSentence(masked=0.0, replaced=0.0, short=short)
  spec = tiny.spec("encoder", LENGTH, vocabulary=2000)
  batch = len(numbered.tokens_BxL)
  texts = [sentences(tiny, numbered, b) for b in range(batch)]
  owner = {t: b for b, text in enumerate(texts) for s in text for t in s}
  labels, ends, apart, shorter = [], [], [], 0
  for seed in range(12):
    problem = tiny.make(objective, spec, numbered, seed)
    real = problem.weights["pair"] > 0
    label = problem.extra["label_B"] > 0
    assert not real[5]
    assert real.mean() > 0.6
    used = []
    for b in np.flatnonzero(real):
      first, second = parts_of(problem, b)
      assert owner[first[0]] == b
      other = owner[second[0]]
      assert (other != b) == label[b]
      document = numbered.segment_BxL[[b, other], 0]
      assert (document[0] != document[1]) == label[b]
      used += first + second
      # Whole sentences: all before a cut, and all behind one, or some of them.
      number = [first == a for a, _ in cuts(texts[b])]
      assert sum(number) == 1
      starts = [behind for _, behind in cuts(texts[other])]
      start = [x for x in starts if x[: len(second)] == second]
      assert len(start) == 1
      ends_there = np.cumsum([0, *map(len, texts[other])])
      at = len(joined(texts[other])) - len(start[0])
      assert at + len(second) in ends_there
      whole = len(start[0]) == len(second)
      shorter += not whole
      assert whole or short
      assert len(first) + len(second) <= LENGTH - 1
      labels.append(label[b])
      ends.append(number.index(True) / len(number))
      mine = joined(texts[b])
      if label[b] and not short:
        apart.append(abs(len(mine) - len(first) - len(second)))
    assert len(used) == len(set(used))  # nothing is read twice
  assert scipy.stats.binomtest(sum(labels) // 2, len(labels) // 2).pvalue > 1e-3
  assert 0.2 < np.mean(ends) < 0.6  # A ends anywhere
  if short:
    assert shorter > 30
  else:
    assert np.median(apart) <= 2


def test_sentence_order_swaps_whole_sentences(tiny, numbered):
  objective = MaskedLMSentenceOrder(masked=0.0, replaced=0.0)
  spec = tiny.spec("encoder", LENGTH, vocabulary=2000)
  swapped = total = 0
  places = [set() for _ in numbered.tokens_BxL]
  for seed in range(12):
    problem = tiny.make(objective, spec, numbered, seed)
    for b, real in enumerate(problem.weights["pair"]):
      parts = sentences(tiny, numbered, b)
      pair = parts_of(problem, b)
      if not real:
        assert len(parts) == 1 or pair in cuts(parts)
        continue
      assert len(parts) > 1
      if problem.extra["label_B"][b]:
        pair = pair[::-1]
        swapped += 1
      total += 1
      places[b].add(cuts(parts).index(pair))
  assert scipy.stats.binomtest(swapped, total).pvalue > 1e-3
  assert total > 0.4 * 12 * len(places)
  assert np.mean([len(place) for place in places]) > 1.5  # not at one place


def test_rows_that_tell_nothing_of_their_documents_are_coupled(tiny, rows):
  objective = MaskedLMNextSentence()
  problem = tiny.make(objective, tiny.spec("encoder", LENGTH), rows)
  assert problem.weights["pair"].mean() > 0.5
  # Of one document, as they tell, no row has another's second text.
  same = dataclasses.replace(rows, segment_BxL=3 * rows.segment_BxL)
  one = dataclasses.replace(same, segment_BxL=same.segment_BxL.copy())
  one.segment_BxL[0] = np.where(one.segment_BxL[0] > 0, 4, 0)
  problem = tiny.make(objective, tiny.spec("encoder", LENGTH), one)
  assert problem.weights["pair"].sum() <= 2
