"""Reads training batches by step, from one or more tables; no jax."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np

from lm_jax.data import order, pack
from lm_jax.data.table import Table


class _Part:
  """A corpus of a mixture, with its own epochs."""

  def __init__(self, table: Table, number: int):
    self._table = table
    # Each has its own order; the first one's is the same as if it were alone.
    self._entropy = [number] if number else []
    # A batch may hold the end of one epoch and the start of the next.
    self._order = functools.lru_cache(maxsize=2)(self._make_order)

  def _make_order(self, seed: int, epoch: int) -> order.Permutation:
    entropy = [seed, epoch, *self._entropy]
    return order.Permutation(entropy, self._table.rows("train"))

  def read_rows(self, seed: int, index_N: np.ndarray) -> np.ndarray:
    """Reads the rows at some places of its epochs: [4, N, length]."""
    epoch_N, place_N = np.divmod(index_N, self._table.rows("train"))
    row_N = np.empty_like(place_N)
    for epoch in np.unique(epoch_N).tolist():
      now_N = epoch_N == epoch
      row_N[now_N] = self._order(seed, epoch)(place_N[now_N])
    return self._table.read_rows("train", row_N)


class Source:
  """Rows of the training splits, in an order that is a function of a seed.

  Args:
    tables: of the parts; their rows have one length.
    weights: integers; rows of each part are read in this proportion.
  """

  def __init__(self, tables: Sequence[Table], weights: Sequence[int]):
    self.tables = list(tables)
    self.weights = list(weights)
    self._parts = [_Part(table, i) for i, table in enumerate(tables)]
    self._held_out = functools.cache(self._spread)

  def batch(
    self,
    seed: int,
    step: int,
    batch_size: int,
    process: int = 0,
    processes: int = 1,
  ) -> np.ndarray:
    """Reads a process's part of a batch: a pure function of the arguments.

    Returns:
      int32 [4, batch_size / processes, length], fields first: the block
      number `process` of the batch.
    """
    place_N = np.array(order.block(step, batch_size, process, processes))
    part_N, place_N = order.interleave(self.weights, place_N)
    shape = (pack.FIELDS, place_N.size, self.tables[0].length)
    fields_FxNxL = np.empty(shape, np.int32)
    for number, part in enumerate(self._parts):
      own_N = part_N == number
      if own_N.any():
        fields_FxNxL[:, own_N] = part.read_rows(seed, place_N[own_N])
    return fields_FxNxL

  def held_out(self, split: str, index_N: np.ndarray) -> np.ndarray:
    """Reads some rows of a split that is read once: [4, N, length].

    The parts are interleaved by their weights; where one has no more rows the
    others continue.
    """
    part_R, row_R = self._held_out(split)
    part_N, row_N = part_R[index_N], row_R[index_N]
    shape = (pack.FIELDS, len(index_N), self.tables[0].length)
    fields_FxNxL = np.empty(shape, np.int32)
    for number, table in enumerate(self.tables):
      own_N = part_N == number
      fields_FxNxL[:, own_N] = table.read_rows(split, row_N[own_N])
    return fields_FxNxL

  def held_out_bytes(self, split: str) -> np.ndarray:
    """UTF-8 bytes of text of each row of `held_out`: int32 [rows]."""
    part_R, row_R = self._held_out(split)
    bytes_R = np.empty(part_R.shape, np.int32)
    for number, table in enumerate(self.tables):
      own_R = part_R == number
      bytes_R[own_R] = table.bytes(split)[row_R[own_R]]
    return bytes_R

  def _spread(self, split: str) -> tuple[np.ndarray, np.ndarray]:
    """Part, and row in the part, at each place of a split: int64 [rows]."""
    counts = [table.rows(split) for table in self.tables]
    part_R = np.repeat(np.arange(len(counts)), counts)
    row_R = np.concatenate([np.arange(count) for count in counts])
    due_R = (row_R + 0.5) / np.array(self.weights)[part_R]
    order_R = np.argsort(due_R, kind="stable")
    return part_R[order_R], row_R[order_R]
