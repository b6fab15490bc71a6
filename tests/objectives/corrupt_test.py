"""Random choices against their definitions and their distributions."""

from __future__ import annotations

import itertools

import jax
import numpy as np
import pytest
import scipy.stats

from lm_jax.objectives import corrupt

# Chance of failure of a test of a distribution; the seeds are fixed.
RARE = 1e-4


def keys(count, seed=0):
  return jax.random.split(jax.random.key(seed), count)


@pytest.fixture(scope="module")
def eligible():
  return np.random.default_rng(1).random((4000, 12)) < 0.7


def test_choose_is_exact_and_uniform(eligible):
  count = np.minimum(np.arange(4000) % 5, eligible.sum(axis=1))
  chosen = np.asarray(jax.jit(corrupt.choose)(keys(4000), eligible, count))
  np.testing.assert_array_equal(chosen.sum(axis=1), count)
  assert not np.any(chosen & ~eligible)
  chance = (count / np.maximum(eligible.sum(axis=1), 1))[:, None] * eligible
  deviation = (chosen - chance).sum(axis=0)
  spread = np.sqrt((chance * (1 - chance)).sum(axis=0))
  assert np.max(np.abs(deviation / spread)) < scipy.stats.norm.isf(RARE / 24)


def test_share_and_slots():
  """|M| = round(0.15 n), at least one where there is any."""
  eligible = np.tril(np.ones((65, 64), bool), -1)
  share = np.asarray(corrupt.share(0.15, eligible))
  want = [min(n, max(1, round(0.15 * n))) for n in range(65)]
  assert share.tolist() == want
  assert corrupt.slots(0.15, 64) == share.max()


def test_choose_units_takes_whole_units_within_the_budget(eligible):
  rng = np.random.default_rng(2)
  unit = np.cumsum(rng.random(eligible.shape) < 0.5, axis=1) - 1
  unit = np.maximum(unit, 0)
  count = rng.integers(0, 9, 4000)
  count = np.minimum(count, eligible.sum(axis=1))
  arguments = (keys(4000), unit, eligible, count)
  chosen = np.asarray(jax.jit(corrupt.choose_units)(*arguments))
  assert np.all(chosen.sum(axis=1) <= count)
  for b in range(400):
    taken = set(unit[b][chosen[b]])
    whole = np.isin(unit[b], list(taken)) & eligible[b]
    np.testing.assert_array_equal(chosen[b], whole)
    left = eligible[b] & ~chosen[b]
    if np.any(left):  # less than a unit is missing
      longest = np.bincount(unit[b][left]).max()
      assert count[b] - chosen[b].sum() < longest
  exact = jax.jit(lambda *args: corrupt.choose_units(*args, whole=False))
  cut = np.asarray(exact(*arguments))
  np.testing.assert_array_equal(cut.sum(axis=1), count)
  assert np.all(cut >= chosen)


@pytest.mark.parametrize(("total", "parts"), [(6, 3), (7, 1), (5, 5), (9, 2)])
def test_composition_is_uniform(total, parts):
  """Over all C(total - 1, parts - 1) ways, as in T5."""
  split = jax.jit(
    lambda keys, total, parts: corrupt.composition(keys, total, parts, 10, 6)
  )
  n = 3000
  found = np.asarray(split(keys(n), np.full(n, total), np.full(n, parts)))
  assert not np.any(found[:, parts:])
  ways = [
    way
    for way in itertools.product(range(1, total + 1), repeat=parts)
    if sum(way) == total
  ]
  counts = dict.fromkeys(ways, 0)
  for row in found[:, :parts]:
    counts[tuple(row.tolist())] += 1
  if len(ways) > 1:
    assert scipy.stats.chisquare(list(counts.values())).pvalue > RARE
  else:
    assert list(counts.values()) == [n]


@pytest.mark.parametrize("trailing", [False, True])
def test_lay_spans(trailing):
  """Spans of the given lengths, in order, apart, after at least one token."""
  rng = np.random.default_rng(3)
  n, size = 300, 24
  lengths = np.zeros((n, 4), int)
  spans = rng.integers(0, 5, n)
  for b in range(n):
    lengths[b, : spans[b]] = rng.integers(1, 4, spans[b])
  # From the tightest fit to some room.
  count = lengths.sum(axis=1) + spans + trailing + rng.integers(0, 4, n)
  count = np.minimum(count, size)
  lay = jax.jit(
    lambda *args: corrupt.place_spans(*args, size, trailing=trailing)
  )
  noise, first = (np.asarray(x) for x in lay(keys(n), lengths, count))
  for b in range(n):
    assert not np.any(noise[b, count[b] :]) and not noise[b, 0]
    starts = np.flatnonzero(first[b])
    runs = "".join("#" if x else "." for x in noise[b]).split(".")
    assert [len(run) for run in runs if run] == lengths[b, : spans[b]].tolist()
    assert len(starts) == spans[b]
    assert all(noise[b, i] and not noise[b, i - 1] for i in starts)
    if spans[b]:
      assert noise[b, count[b] - 1] == (not trailing)


def test_geometric_tiles():
  """SpanBERT's lengths: Geometric(0.2) up to 10, renormalized; mean 3.8."""
  tiles = jax.jit(lambda keys: corrupt.geometric_tiles(keys, 400, 0.2, 10))
  found = np.asarray(tiles(keys(100)))
  assert not np.any(found[:, 0])
  assert np.all(np.isin(np.diff(found), (0, 1)))
  # The first 30 spans of each row: the last is cut by the row's end.
  lengths = np.concatenate([np.bincount(row)[:30] for row in found])
  k = np.arange(1, 11)
  chance = 0.8**k / np.sum(0.8**k)
  assert np.sum(k * chance) == pytest.approx(3.8, abs=0.01)
  observed = np.bincount(lengths, minlength=11)
  assert observed[0] == 0 and len(observed) == 11
  expected = chance * len(lengths)
  assert scipy.stats.chisquare(observed[1:], expected).pvalue > RARE


def test_80_10_10(tiny):
  spec = tiny.spec("encoder", 512)
  rng = np.random.default_rng(4)
  tokens = rng.integers(tiny.text_ids[0], 400, (64, 512))
  chosen = rng.random(tokens.shape) < 0.5
  hide = jax.jit(lambda *args: corrupt.mask_out(*args, spec))
  out = np.asarray(hide(keys(64), tokens, chosen))
  np.testing.assert_array_equal(out[~chosen], tokens[~chosen])
  out, tokens = out[chosen], tokens[chosen]
  text = 400 - tiny.text_ids[0]
  masked, kept = out == tiny.specials.mask, out == tokens
  other = out[~masked & ~kept]
  # One random token in `text` is the original.
  chance = np.array([0.8, 0.1 + 0.1 / text, 0.1 - 0.1 / text])
  observed = np.array([masked.sum(), kept.sum(), other.size])
  assert scipy.stats.chisquare(observed, chance * out.size).pvalue > RARE
  assert other.min() >= tiny.text_ids[0] and other.max() < 400
  uniform = np.bincount(other - tiny.text_ids[0], minlength=text)
  assert scipy.stats.chisquare(uniform).pvalue > RARE


def test_row_keys():
  """Static keys are the row's own, wherever it stands; dynamic ones are not."""
  tokens = np.random.default_rng(5).integers(0, 300, (50, 16))
  static = jax.random.key_data(corrupt.row_keys(None, tokens, False))
  moved = jax.random.key_data(corrupt.row_keys(None, tokens[::-1], False))
  np.testing.assert_array_equal(static, moved[::-1])
  assert len(np.unique(static, axis=0)) == 50
  # Two tokens that change places make another row.
  swapped = tokens.copy()
  swapped[:, [3, 4]] = tokens[:, [4, 3]]
  other = jax.random.key_data(corrupt.row_keys(None, swapped, False))
  differs = tokens[:, 3] != tokens[:, 4]
  np.testing.assert_array_equal(np.any(static != other, axis=1), differs)
