"""Decision accuracy and signal to noise, of planted rankings."""

import math

import numpy as np
import pytest

from lm_jax.statistics import decisions


def of(*means, spread=0.0, seeds=3):
  rng = np.random.default_rng(0)
  return {
    f"arm{i}": mean + spread * rng.normal(size=seeds)
    for i, mean in enumerate(means)
  }


def test_it_is_the_share_of_pairs_in_one_order():
  # Of 6 pairs, (0, 1) and (0, 2) turn, and (2, 3) is a tie at the small size.
  small, large = of(3.0, 2.0, 1.0, 1.0), of(1.5, 2.0, 1.6, 1.0)
  found = decisions.accuracy(small, large)
  assert found.value == pytest.approx((3 + 0.5) / 6)
  assert found.low <= found.value <= found.high
  assert decisions.accuracy(small, small | {"arm9": large["arm0"]}).n == 3


def test_noise_widens_the_interval_and_one_seed_has_none():
  clear = decisions.accuracy(of(3, 2, 1), of(3.1, 2, 1))
  assert (clear.value, clear.low, clear.high) == (1, 1, 1)
  noisy = decisions.accuracy(of(3, 2, 1, spread=1.5), of(3, 2, 1, spread=1.5))
  assert noisy.high - noisy.low > 0.3
  single = decisions.accuracy(of(3, 2, seeds=1), of(3, 2, seeds=1))
  assert (single.value, single.low) == (1.0, None)
  assert math.isnan(decisions.accuracy(of(1.0), of(1.0)).value)


def test_signal_to_noise_is_the_range_by_the_spread():
  assert decisions.signal_to_noise([1.0, 4.0, 2.0], [1.0, 3.0]) == (
    pytest.approx(3 / math.sqrt(2))
  )
  assert decisions.signal_to_noise([1.0], [1.0]) is None
  assert decisions.signal_to_noise([1.0, 2.0], [0.0]) is None
