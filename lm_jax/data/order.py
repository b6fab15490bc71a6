"""Computes the order in which rows are read; it can start at any step.

Nothing here depends on the version of NumPy: only bit generators and seed
sequences have that guarantee, `Generator.permutation` has not.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from lm_jax.support.errors import UsageError

# A permutation of up to this many is kept in memory; larger ones are computed.
SORTED = 2**22
# Integer weights add up to this at most, so that products fit in 64 bits.
MOST_WEIGHT = 2**30
_ROUNDS = 6


class Permutation:
  """A permutation of range(count), drawn from some integers."""

  def __init__(self, entropy: Sequence[int], count: int):
    sequence = np.random.SeedSequence(entropy)
    self._count = count
    self._order: np.ndarray | None = None
    if count <= SORTED:
      bits = np.random.PCG64(sequence).random_raw(count)
      self._order = np.argsort(bits, kind="stable").astype(np.int32)
      return
    self._keys = sequence.generate_state(_ROUNDS, np.uint64)
    # Of each half of an index, in bits.
    self._half = np.uint64(((count - 1).bit_length() + 1) // 2)

  def __call__(self, index_N: np.ndarray) -> np.ndarray:
    """Returns the elements at these indices: int64 [N]."""
    if self._order is not None:
      return self._order[index_N].astype(np.int64)
    element_N = self._cipher(index_N.astype(np.uint64))
    # The cipher permutes up to four times as many: walk on until within.
    while (outside_N := element_N >= self._count).any():
      element_N[outside_N] = self._cipher(element_N[outside_N])
    return element_N.astype(np.int64)

  def _cipher(self, x_N: np.ndarray) -> np.ndarray:
    """A Feistel network: a permutation of all numbers of 2 * half bits."""
    half = self._half
    mask = np.uint64((1 << int(half)) - 1)
    left_N, right_N = x_N >> half, x_N & mask
    for key in self._keys:
      left_N, right_N = right_N, left_N ^ (_mix(right_N + key) & mask)
    return (left_N << half) | right_N


def _mix(x_N: np.ndarray) -> np.ndarray:
  """The finalizer of SplitMix64 (Steele, Lea and Flood, 2014)."""
  x_N = (x_N ^ (x_N >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
  x_N = (x_N ^ (x_N >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
  return x_N ^ (x_N >> np.uint64(31))


def block(step: int, batch_size: int, process: int, processes: int) -> range:
  """Places, among all rows that are read, of a process's block of a batch."""
  size = batch_size // processes
  first = step * batch_size + process * size
  return range(first, first + size)


def require_blocks(batch_size: int, processes: int) -> None:
  """Raises UsageError unless the processes divide the batch."""
  if batch_size % processes:
    raise UsageError(
      f"--batch_size={batch_size}: must be a multiple of {processes}, the "
      "number of processes"
    )


def whole_weights(weights: Sequence[Fraction]) -> list[int]:
  """Integers in the proportion of positive weights, in lowest terms.

  Exact where their sum stays below MOST_WEIGHT, else to that precision.
  """
  scale = math.lcm(*(weight.denominator for weight in weights))
  whole = [int(weight * scale) for weight in weights]
  if sum(whole) > MOST_WEIGHT:
    total = sum(whole)
    whole = [max(1, weight * MOST_WEIGHT // total) for weight in whole]
  common = math.gcd(*whole)
  return [weight // common for weight in whole]


def interleave(
  weights: Sequence[int], index_N: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
  """Spreads parts over one sequence as evenly as their weights allow.

  The first part has round(n w / sum of w) of n elements, at the places where
  this number grows; the others share the rest in the same way. So each part has
  its exact share of every sum(w) elements, and its share up to the number of
  parts in any stretch of the sequence.

  Args:
    weights: positive integers; the sum is MOST_WEIGHT at most.
    index_N: places in the sequence, int64 [N].

  Returns:
    The part that stands at each place, and how many elements that part has
    before it: int64 [N].

  >>> part, place = interleave([3, 1], np.arange(8))
  >>> part.tolist(), place.tolist()
  ([0, 0, 1, 0, 0, 0, 1, 0], [0, 1, 0, 2, 3, 4, 1, 5])
  """
  part_N = np.full(index_N.shape, len(weights) - 1, np.int64)
  place_N = index_N.astype(np.int64)
  open_N = np.ones(index_N.shape, bool)
  for part, weight in enumerate(weights[:-1]):
    total = sum(weights[part:])
    before_N = _share(place_N, weight, total)
    here_N = open_N & (_share(place_N + 1, weight, total) > before_N)
    part_N[here_N] = part
    rest_N = open_N & ~here_N
    place_N = np.where(
      here_N, before_N, np.where(rest_N, place_N - before_N, place_N)
    )
    open_N = rest_N
  return part_N, place_N


def _share(count_N: np.ndarray, weight: int, total: int) -> np.ndarray:
  """round(count * weight / total), in 64 bits."""
  periods_N, rest_N = np.divmod(count_N, total)
  return periods_N * weight + (rest_N * weight + total // 2) // total
