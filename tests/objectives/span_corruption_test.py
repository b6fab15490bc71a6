"""Span corruption: the two parts spell the text; how much of it is noise."""

from __future__ import annotations

import jax
import numpy as np
import pytest

from lm_jax.objectives.span_corruption import SpanCorruption, span_noise

LENGTH = 64
ARCHITECTURES = ["causal_decoder", "prefix_decoder", "encoder_decoder"]


@pytest.fixture(scope="module")
def rows(tiny):
  """Rows full of documents of 8 tokens or more, and some of short texts."""
  rng = np.random.default_rng(0)
  pieces = [[LENGTH], [40, 24], [8] * 8, [20], [9], [2], []]
  while len(pieces) < 60:
    sizes = rng.integers(8, 30, 8)
    sizes = sizes[np.cumsum(sizes) <= LENGTH]
    pieces.append([*sizes.tolist(), *([8] * ((LENGTH - sizes.sum()) // 8))])
  return tiny.rows(pieces, LENGTH)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_parts_spell_the_text(tiny, rows, architecture):
  objective, spec = SpanCorruption(), tiny.spec(architecture, LENGTH)
  objective.check(spec, 8, 1)
  texts = tiny.texts(rows)
  for seed in range(3):
    problem = tiny.make(objective, spec, rows, seed)
    for b, parts in enumerate(tiny.by_segment(problem)):
      assert parts.keys() == texts[b].keys()
      answers = []
      for s, (context, answer) in parts.items():
        assert tiny.fill(context, answer) == texts[b][s].tolist()
        answers += answer.tolist()
      # T5: n = round(0.15 E) tokens in round(n / 3) spans.
      text = np.sum(rows.tokens_BxL[b] >= tiny.text_ids[0])
      noise = max(1, round(0.15 * text)) if text > 1 else 0
      spans = max(1, round(noise / 3)) if noise else 0
      answers = np.array(answers, int)
      is_sentinel = (answers < tiny.text_ids[0]) & (
        answers >= tiny.specials.first_sentinel
      )
      assert np.sum(answers >= tiny.text_ids[0]) == noise
      # A span over a document's end is two.
      most = spans + max(len(parts) - 1, 0)
      assert spans <= np.sum(is_sentinel) <= most


def test_the_noise_is_t5s():
  """Span lengths and places against the definition's probabilities.

  random_spans_noise_mask: breaks are a uniform subset of the gaps, so with n
  noise tokens in s spans P(a span is of one token) = (s - 1) / (n - 1), and
  a length of k has C(n - k - 1, s - 2) of the C(n - 1, s - 1) ways.
  """
  n, size = 3000, 40
  eligible = np.ones((n, size), bool)
  mask = jax.jit(lambda keys, eligible: span_noise(keys, eligible, 0.3, 3.0, 4))

  noise = np.asarray(mask(jax.random.split(jax.random.key(0), n), eligible))
  assert np.all(noise.sum(axis=1) == 12)
  assert not np.any(noise[:, 0]) and np.all(noise[:, -1])
  edges = np.diff(np.pad(noise.astype(int), ((0, 0), (1, 1))), axis=1)
  starts, ends = (
    np.nonzero(edges == sign)[1].reshape(n, 4) for sign in (1, -1)
  )
  lengths = ends - starts
  assert lengths.sum() == 12 * n
  single = np.mean(lengths == 1, axis=0)
  # Any of the four spans alike; four standard errors of sqrt(p q / n).
  np.testing.assert_allclose(single, 3 / 11, 0, 4 * np.sqrt(0.2 / n))
  gaps = starts - np.pad(ends, ((0, 0), (1, 0)))[:, :-1]
  alone = np.mean(gaps == 1, axis=0)  # 28 tokens of text in 4 pieces
  np.testing.assert_allclose(alone, 3 / 27, 0, 4 * np.sqrt(0.1 / n))
  np.testing.assert_allclose(gaps.mean(axis=0), 7, 0, 0.4)
