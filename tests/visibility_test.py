"""Visibility against its definitions, token by token."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from lm_jax import visibility

SEEDS = st.integers(0, 2**32 - 1)


def segments(rng, batch=2, length=9):
  """Rows of segments 1, 2, ... and padding, and positions in them."""
  segment = np.zeros((batch, length), np.int32)
  position = np.zeros((batch, length), np.int32)
  for b in range(batch):
    start, number = 0, 1
    while start < length and rng.random() < 0.8:
      stop = rng.integers(start, length) + 1
      segment[b, start:stop] = number
      position[b, start:stop] = np.arange(stop - start)
      start, number = stop, number + 1
  return segment, position


def check(segment, rank, sees):
  """Each token sees what `sees(b, i, j)` says, within its segment."""
  got = np.asarray(visibility.visible(segment, rank, segment, rank))
  batch, length = segment.shape
  for b in range(batch):
    for i in range(length):
      for j in range(length):
        want = segment[b, i] == segment[b, j] and sees(b, i, j)
        assert got[b, i, j] == want, (b, i, j)


@settings(max_examples=30, deadline=None)
@given(SEEDS)
def test_visible_is_the_definition(seed):
  rng = np.random.default_rng(seed)
  query, key = rng.integers(0, 3, (2, 5)), rng.integers(0, 3, (2, 7))
  query_rank, key_rank = rng.integers(-1, 4, (2, 5)), rng.integers(0, 4, (2, 7))
  got = visibility.visible(query, query_rank, key, key_rank)
  assert got.shape == (2, 5, 7)
  for b, i, j in np.ndindex(2, 5, 7):
    same = query[b, i] == key[b, j]
    assert got[b, i, j] == (same and key_rank[b, j] <= query_rank[b, i])


@settings(max_examples=30, deadline=None)
@given(SEEDS)
def test_patterns(seed):
  rng = np.random.default_rng(seed)
  segment, position = segments(rng)
  check(segment, visibility.bidirectional(segment), lambda b, i, j: True)
  check(segment, visibility.causal(segment), lambda b, i, j: j <= i)
  lengths = rng.integers(0, 12, (2, 12))
  prefix = np.take_along_axis(lengths, segment, axis=1)
  rank = np.asarray(visibility.prefix(position, prefix))
  check(
    segment,
    rank,
    lambda b, i, j: (
      position[b, j] <= position[b, i] or position[b, j] < prefix[b, i]
    ),
  )
