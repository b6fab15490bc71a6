"""Filters against their definitions, word by word, in float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lm_jax.generation import filters, search
from lm_jax.generation.filters import Past
from lm_jax.generation.options import Generation

VOCABULARY = 40


def _logits(rows=50, seed=0):
  rng = np.random.default_rng(seed)
  return rng.normal(0, 3, (rows, VOCABULARY)).astype(np.float32)


def _softmax(row):
  weight = np.exp(row.astype(np.float64) - row.max())
  return weight / weight.sum()


def _kept(found):
  return [set(np.flatnonzero(np.isfinite(row))) for row in np.asarray(found)]


def _nucleus(p, mass):
  """The fewest likeliest whose sum exceeds all but 1 - mass of the rest."""
  kept, left = set(), 1.0
  for i in np.argsort(-p):
    if kept and left <= 1 - mass:
      break
    kept.add(i)
    left -= p[i]
  return kept


def test_top_k():
  logits = _logits()
  for row, kept in zip(logits, _kept(filters.top_k(logits, 7)), strict=True):
    assert kept == set(np.argsort(-row)[:7])


@pytest.mark.parametrize("mass", [0.1, 0.5, 0.9, 0.999])
def test_top_p(mass):
  logits = _logits()
  found = _kept(filters.top_p(jnp.array(logits), mass))
  for row, kept in zip(logits, found, strict=True):
    assert kept == _nucleus(_softmax(row), mass)


@pytest.mark.parametrize("least", [0.01, 0.3, 1.0])
def test_min_p(least):
  logits = _logits()
  found = _kept(filters.min_p(jnp.array(logits), least))
  for row, kept in zip(logits, found, strict=True):
    p = _softmax(row)
    assert kept == set(np.flatnonzero(p >= least * p.max()))


@pytest.mark.parametrize("mass", [0.2, 0.8])
def test_typical_p(mass):
  logits = _logits()
  found = _kept(filters.typical_p(jnp.array(logits), mass))
  for row, kept in zip(logits, found, strict=True):
    p = _softmax(row)
    distance = np.abs(-np.log(p) - -(p * np.log(p)).sum())
    order = np.argsort(distance)
    size = int((np.cumsum(p[order]) < mass).sum()) + 1
    assert kept == set(order[:size])


def test_epsilon_and_eta():
  logits = _logits()
  for row, e, n in zip(
    logits,
    _kept(filters.epsilon(jnp.array(logits), 0.02)),
    _kept(filters.eta(jnp.array(logits), 0.02)),
    strict=True,
  ):
    p = _softmax(row)
    entropy = -(p * np.log(p)).sum()
    assert e == set(np.flatnonzero(p >= 0.02)) | {int(p.argmax())}
    limit = min(0.02, np.sqrt(0.02) * np.exp(-entropy))
    assert n == set(np.flatnonzero(p >= limit)) | {int(p.argmax())}


def _past(texts, slots=12, gap=0):
  """Texts that end in one slot, with garbage where there is no token."""
  size = max(map(len, texts)) + gap
  tokens = np.full((len(texts), slots), 3, np.int32)
  real = np.zeros((len(texts), slots), bool)
  for row, text in enumerate(texts):
    tokens[row, size - len(text) : size] = text
    real[row, size - len(text) : size] = True
  return Past(
    jnp.array(tokens), jnp.array(real), jnp.int32(size), jnp.int32(0), 9
  )


def _repeated(text, n):
  """Tokens that would complete n tokens which were there before."""
  if len(text) < n:
    return set()
  end = text[len(text) - n + 1 :]
  return {
    text[i + n - 1]
    for i in range(len(text) - n + 1)
    if text[i : i + n - 1] == end
  }


@pytest.mark.parametrize("size", [1, 2, 3])
def test_repeated_ngrams(size):
  rng = np.random.default_rng(size)
  texts = [rng.integers(0, 4, n).tolist() for n in (9, 1, 2, 3, 7, 9)]
  logits = jnp.zeros((len(texts), VOCABULARY))
  for gap in (0, 2):
    found = filters.repeated_ngrams(logits, _past(texts, gap=gap), size)
    for text, row in zip(texts, np.asarray(found), strict=True):
      assert set(np.flatnonzero(row)) == _repeated(text, size), text


def test_repetition_penalty():
  logits = _logits(2)
  past = _past([[5, 7, 5], [9]])
  found = filters.repetition_penalty(jnp.array(logits), past, 1.5)
  for row, new, seen in zip(
    logits, np.asarray(found), ({5, 7}, {9}), strict=True
  ):
    for i in range(VOCABULARY):
      less = row[i] * 1.5 if row[i] < 0 else row[i] / 1.5
      assert new[i] == pytest.approx(less if i in seen else row[i], rel=1e-6)


def _constrained(chosen, remaining, begin=0, **options):
  past = _past([[5]])._replace(
    chosen=jnp.int32(chosen), remaining=jnp.int32(remaining), begin=begin
  )
  found = filters.constrain(
    jnp.array(_logits(1)),
    past,
    Generation(**options).static(),
    Generation(**options).values,
    (2, 3),
    jnp.int32(options.get("min_new_tokens", 0)),
  )
  return _kept(found)[0]


def test_what_must_come_and_what_must_not():
  everything = set(range(VOCABULARY))
  assert _constrained(3, 9, min_new_tokens=4) == everything - {2, 3}
  assert _constrained(4, 9, min_new_tokens=4) == everything
  # Where a start token alone is read before it.
  assert _constrained(0, 9, begin=1, forced_bos_token_id=8) == {8}
  assert _constrained(1, 9, begin=1, forced_bos_token_id=8) == everything
  assert _constrained(0, 9, begin=0, forced_bos_token_id=8) == everything
  assert _constrained(1, 1, forced_eos_token_id=3) == {3}
  assert _constrained(1, 2, forced_eos_token_id=3) == everything
  assert _constrained(1, 2, suppress_tokens=(0, 9)) == everything - {0, 9}


def test_samples_follow_the_distribution():
  """Chi-square over 20,000 draws; the filters' order is part of it."""
  from scipy import stats

  options = Generation(do_sample=True, temperature=0.7, top_k=9, top_p=0.9)
  row = _logits(1, seed=4)[0] / 3
  p = _softmax(row / 0.7)
  order = np.argsort(-p)
  p[order[9:]] = 0
  p /= p.sum()
  kept = _nucleus(p, 0.9)
  p = np.array([x if i in kept else 0.0 for i, x in enumerate(p)])
  p /= p.sum()
  warped = filters.warp(
    jnp.tile(row, (20_000, 1)), options.static(), options.values
  )
  drawn = np.asarray(search.sample(jax.random.key(1), warped))
  count = np.bincount(drawn, minlength=VOCABULARY)
  there = p > 0
  assert len(kept) > 2 and not count[~there].any()
  test = stats.chisquare(count[there], 20_000 * p[there])
  assert test.pvalue > 1e-3
