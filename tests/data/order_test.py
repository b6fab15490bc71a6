import collections
from fractions import Fraction

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest

from lm_jax.data import order


@pytest.mark.parametrize("count", [1, 2, 3, 17, 1000, 4097])
def test_a_large_permutation_is_one(monkeypatch, count):
  monkeypatch.setattr(order, "SORTED", 0)
  first, second = (
    order.Permutation([1, epoch], count)(np.arange(count)) for epoch in (0, 1)
  )
  for found in (first, second):
    assert sorted(found.tolist()) == list(range(count))
  if count > 3:
    assert (first != second).any()
  if count == 4097:
    # As far from the identity as chance has it: the mean distance of two
    # uniform numbers is a third of the range.
    assert abs(np.abs(first - np.arange(count)).mean() / count - 1 / 3) < 0.02
    assert abs(np.corrcoef(first[1:], first[:-1])[0, 1]) < 0.06


def test_a_large_permutation_is_what_it_was(monkeypatch):
  monkeypatch.setattr(order, "SORTED", 0)
  found = order.Permutation([3, 1], 10)(np.arange(10))
  assert found.tolist() == [8, 0, 6, 5, 4, 2, 1, 7, 9, 3]


def test_a_huge_permutation_takes_no_memory():
  count = 10**12
  permutation = order.Permutation([0, 0], count)
  index = np.array([0, 1, count - 1])
  found = permutation(index)
  assert len(set(found.tolist())) == 3
  assert (found >= 0).all() and (found < count).all()


@hypothesis.given(
  st.lists(st.integers(1, 50), min_size=1, max_size=6), st.integers(0, 10**15)
)
def test_parts_have_their_shares(weights, start):
  period = sum(weights)
  index = np.arange(start, start + 2 * period)
  part, place = order.interleave(weights, index)
  for number, weight in enumerate(weights):
    own = part == number
    # Its elements one after the other, none left out.
    assert np.diff(place[own]).tolist() == [1] * (2 * weight - 1)
    seen = np.concatenate([[0], np.cumsum(own)])
    # Exactly its share of any period, and nearly of any stretch.
    assert (seen[period:] - seen[:-period] == weight).all()
    lag = seen - np.arange(2 * period + 1) * weight / period
    assert lag.max() - lag.min() < max(2, len(weights))


@hypothesis.given(st.lists(st.integers(1, 9), min_size=2, max_size=4))
def test_places_count_from_the_start(weights):
  counts = collections.Counter()
  part, place = order.interleave(weights, np.arange(100))
  for number, found in zip(part.tolist(), place.tolist(), strict=True):
    assert found == counts[number]
    counts[number] += 1


def test_weights_become_integers():
  third = Fraction(1, 3)
  assert order.whole_weights([Fraction("0.7"), Fraction("0.3")]) == [7, 3]
  assert order.whole_weights([third, third * 2]) == [1, 2]
  assert order.whole_weights([Fraction(4), Fraction(6)]) == [2, 3]
  tiny = Fraction(1, 10**12)
  found = order.whole_weights([tiny, Fraction(1)])
  assert found[0] >= 1 and sum(found) <= order.MOST_WEIGHT + 1
  irrational = [Fraction(2**0.5), Fraction(1)]
  a, b = order.whole_weights(irrational)
  assert abs(a / b - 2**0.5) < 1e-8


def test_large_weights_do_not_overflow():
  weights = [order.MOST_WEIGHT - 1, 1]
  total = sum(weights)
  index = [2**62 - 2, 2**62 - 1, 2**62]
  part, place = order.interleave(weights, np.array(index))
  assert part.tolist() == [0, 0, 0]
  assert place.tolist() == [
    (i * weights[0] + total // 2) // total for i in index
  ]
