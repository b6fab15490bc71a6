"""Examples to rows: several to a row, each a segment of its own.

A segment sees itself alone, and its positions start from 0: packed or not, the
network computes the same for an example (Krell et al. 2021).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from lm_jax.finetuning.heads.base import NO_LABEL, Item
from lm_jax.objectives import _supervised
from lm_jax.types import ANSWER, CONTEXT, PADDING, Rows

# Items that are packed together: many fill rows well, few keep their order.
WINDOW = 512


class Shape(NamedTuple):
  """The room of a row.

  length: its columns.  answers: how many of them, the last, are for answers.
  most: examples at most.
  """

  length: int
  answers: int
  most: int

  @property
  def contexts(self) -> int:
    return self.length - self.answers


def most_examples(length: int, how: str) -> int:
  """Returns the most examples in a row; `how` is --data.packing."""
  return 1 if how == "document" else _supervised.room(length)


def pack(sizes_Nx2: np.ndarray, order_N: np.ndarray, shape: Shape) -> list:
  """Assigns items to rows: best fit, the longest first.

  Items that stand within WINDOW of one another in the order share rows.

  Args:
    sizes_Nx2: columns that each item takes for its context and its answer.
    order_N: the items, in the order in which they are to be read.
    shape: of the rows; every item fits one.

  Returns:
    for each row the indices of its items, int64.
  """
  rows: list[np.ndarray] = []
  for start in range(0, len(order_N), WINDOW):
    rows += _best_fit(sizes_Nx2, order_N[start : start + WINDOW], shape)
  return rows


def _best_fit(
  sizes_Nx2: np.ndarray, order_W: np.ndarray, shape: Shape
) -> list[np.ndarray]:
  sizes_Wx2 = sizes_Nx2[order_W]
  longest_first = np.argsort(-sizes_Wx2.sum(axis=1), kind="stable")
  room_Rx2 = np.empty((len(order_W), 2), np.int64)
  members: list[list[int]] = []
  for item in longest_first:
    size_2 = sizes_Wx2[item]
    open_Rx2 = room_Rx2[: len(members)]
    fits_R = (open_Rx2 >= size_2).all(axis=1)
    if fits_R.any():
      left_R = np.where(fits_R, open_Rx2.sum(axis=1), np.iinfo(np.int64).max)
      row = int(left_R.argmin())
    else:
      row = len(members)
      members.append([])
      room_Rx2[row] = shape.contexts, shape.answers
    members[row].append(int(item))
    room_Rx2[row] -= size_2
    if len(members[row]) == shape.most:
      room_Rx2[row] = -1
  # Rows come in the order of their first item, whatever its length.
  members = [sorted(row) for row in members]
  members.sort()
  return [order_W[row] for row in members]


def sizes(items: Sequence[Item]) -> np.ndarray:
  """Columns that each item takes for context and answer: int64 [N, 2]."""
  lengths = [(len(item.tokens), len(item.answer)) for item in items]
  return np.array(lengths, np.int64).reshape(-1, 2)


def lay(
  items: Sequence[Item],
  rows: Sequence[np.ndarray],
  shape: Shape,
  pad: int,
  batch_size: int = 0,
) -> Rows:
  """Lays items out in rows.

  Args:
    items: all of them.
    rows: for each row the indices of its items.
    shape: of the rows.
    pad: the token that holds the place of what is not there.
    batch_size: rows to return, the last ones padding; 0: as many as there are.

  Returns:
    numpy int32 [B, L].
  """
  size = (batch_size or len(rows), shape.length)
  tokens_BxL = np.full(size, pad, np.int32)
  segment_BxL = np.zeros(size, np.int32)
  sentence_BxL = np.zeros(size, np.int32)
  part_BxL = np.full(size, PADDING, np.int32)
  label_BxL = np.full(size, NO_LABEL, np.int32)
  for row, members in enumerate(rows):
    at, behind = 0, shape.contexts
    for segment, number in enumerate(members, start=1):
      item = items[number]
      here = slice(at, at + len(item.tokens))
      tokens_BxL[row, here] = item.tokens
      segment_BxL[row, here] = segment
      sentence_BxL[row, here] = item.text
      part_BxL[row, here] = CONTEXT
      label_BxL[row, here] = item.label
      at = here.stop
      there = slice(behind, behind + len(item.answer))
      tokens_BxL[row, there] = item.answer
      segment_BxL[row, there] = segment
      part_BxL[row, there] = ANSWER
      behind = there.stop
  word_BxL = np.broadcast_to(np.arange(shape.length, dtype=np.int32), size)
  return Rows(
    tokens_BxL, segment_BxL, word_BxL, sentence_BxL, part_BxL, label_BxL
  )
