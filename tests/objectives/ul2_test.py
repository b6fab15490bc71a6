"""UL2: the modes, and that each spells the text."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats

from lm_jax.objectives.ul2 import MixtureOfDenoisers

LENGTH = 64


def spelt(tiny, context, answer):
  """The text of a segment, read by its mode token."""
  if context[0] == tiny.specials.sequential:
    return [*context[1:].tolist(), *answer.tolist()]
  return tiny.fill(context[1:], answer)


@pytest.mark.parametrize(
  "architecture", ["causal_decoder", "prefix_decoder", "encoder_decoder"]
)
def test_the_parts_spell_the_text(tiny, architecture):
  """Nothing is cut from rows of up to three documents."""
  rng = np.random.default_rng(0)
  pieces = [[64], [40, 24], [20], [9], [2]]
  for _ in range(60):
    first, second = rng.integers(3, 31, 2)
    pieces.append([first, second, LENGTH - first - second])
  rows = tiny.rows(pieces, LENGTH)
  texts = tiny.texts(rows)
  objective, spec = MixtureOfDenoisers(), tiny.spec(architecture, LENGTH)
  objective.check(spec, 8, 1)
  modes = set()
  for seed in range(4):
    problem = tiny.make(objective, spec, rows, seed)
    for b, parts in enumerate(tiny.by_segment(problem)):
      row_modes = {int(context[0]) for context, _ in parts.values()}
      assert len(row_modes) == 1
      modes |= row_modes
      for s, text in texts[b].items():
        assert spelt(tiny, *parts[s]) == text.tolist()
  specials = tiny.specials
  assert modes == {specials.regular, specials.sequential, specials.extreme}


def test_seven_denoisers_alike(tiny):
  """Two are R, four X, one S; their densities, their spans."""
  rows = tiny.rows([[LENGTH]] * 1500, LENGTH, end=False)
  spec = tiny.spec("prefix_decoder", LENGTH)
  problem = tiny.make(MixtureOfDenoisers(), spec, rows)
  specials, counts, shares = tiny.specials, {}, []
  for parts in tiny.by_segment(problem):
    context, answer = parts[1]
    noise = int(np.sum(answer >= tiny.text_ids[0]))
    spans = int(np.sum(context < tiny.text_ids[0])) - 1
    if context[0] == specials.sequential:
      shares.append(noise)
      key = "S"
    else:
      key = (int(context[0]), noise, spans)
    counts[key] = counts.get(key, 0) + 1
  # n = round(0.15 * 63) = 9 or round(31.5) = 32 tokens, in n / 3, n / 8 or
  # n / 64 spans.
  r, x = specials.regular, specials.extreme
  keys = [
    (r, 9, 3), (r, 9, 1), (x, 32, 11), (x, 32, 4), (x, 9, 1), (x, 32, 1), "S",
  ]  # fmt: skip
  assert set(counts) == set(keys)
  observed = [counts[key] for key in keys]
  assert scipy.stats.chisquare(observed).pvalue > 1e-4
  # S predicts ceil(63 u^3) tokens, u uniform: a quarter in the mean.
  k = np.arange(1, 64)
  chance = np.cbrt(k / 63) - np.cbrt((k - 1) / 63)
  mean = np.sum(k * chance)
  assert mean / 63 == pytest.approx(0.25, abs=0.01)
  error = np.sqrt(np.sum(k * k * chance) - mean**2) / np.sqrt(len(shares))
  assert abs(np.mean(shares) - mean) < 4 * error


def test_a_row_of_many_short_documents_loses_little(tiny):
  """Of eight documents of 8 tokens: 1 row in 10 at most, and its end only."""
  rows = tiny.rows([[8] * 8] * 300, LENGTH)
  spec = tiny.spec("prefix_decoder", LENGTH)
  problem = tiny.make(MixtureOfDenoisers(), spec, rows)
  parts, texts = tiny.by_segment(problem), tiny.texts(rows)
  cut = 0
  for by_segment, text in zip(parts, texts, strict=True):
    for s in range(1, 8):
      assert spelt(tiny, *by_segment[s]) == text[s].tolist()
    context, answer = by_segment[8]
    if context[0] != tiny.specials.sequential:
      context = context[context < tiny.text_ids[0]]
      is_hidden = np.any(context >= tiny.specials.first_sentinel)
      cut += is_hidden and answer[-1:].tolist() != [tiny.specials.end]
  assert cut <= 30
