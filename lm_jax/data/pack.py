"""Documents to rows of one length."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from lm_jax.data.tokenizer import Encoded
from lm_jax.types import Specials

# The arrays of a row, in the order in which they are stored.
TOKENS, SEGMENT, WORD, SENTENCE = range(4)
FIELDS = 4
SHORTEST = 8
ROWS = 1024  # This many are written at once.


def _with_end(encoded: Encoded, end: int) -> Encoded:
  """The document and its [EOS], a word of its own in the last sentence."""
  return Encoded(
    ids=np.append(encoded.ids, np.int32(end)),
    word=np.append(encoded.word, encoded.word[-1] + 1),
    sentence=np.append(encoded.sentence, encoded.sentence[-1]),
    bytes=np.append(encoded.bytes, np.int32(0)),
  )


class Block:
  """Rows that are being filled, and where the next piece goes."""

  def __init__(
    self, size: int, length: int, specials: Specials, dtype: Any = np.int32
  ):
    self.size = size
    self.length = length
    self.boundary = specials.boundary
    self.pad = specials.pad
    self.dtype = dtype
    self.clear()

  def clear(self) -> None:
    self.rows_NxFxL = np.zeros((self.size, FIELDS, self.length), self.dtype)
    self.rows_NxFxL[:, TOKENS] = self.pad
    self.bytes_N = np.zeros(self.size, np.int32)
    self.row = -1
    self.column = self.length

  @property
  def room(self) -> int:
    return self.length - self.column

  def next_row(self) -> None:
    self.row += 1
    self.column = self.segment = self.word = self.sentence = 0

  def add(self, document: Encoded, start: int, stop: int) -> None:
    """Adds the boundary and tokens start to stop, if any, as a segment."""
    row_FxL = self.rows_NxFxL[self.row]
    first, end = self.column, self.column + 1 + stop - start
    inside = slice(first + 1, end)
    words = document.word[start:stop]
    sentences = document.sentence[start:stop]
    self.segment += 1
    row_FxL[SEGMENT, first:end] = self.segment
    row_FxL[TOKENS, first] = self.boundary
    row_FxL[TOKENS, inside] = document.ids[start:stop]
    row_FxL[WORD, first] = self.word
    row_FxL[WORD, inside] = words - words[:1] + self.word + 1
    row_FxL[SENTENCE, first] = self.sentence
    row_FxL[SENTENCE, inside] = sentences - sentences[:1] + self.sentence
    self.bytes_N[self.row] += document.bytes[start:stop].sum()
    self.column = end
    self.word = int(row_FxL[WORD, end - 1]) + 1
    self.sentence = int(row_FxL[SENTENCE, end - 1]) + 1

  def filled(self) -> tuple[np.ndarray, np.ndarray]:
    return self.rows_NxFxL[: self.row + 1], self.bytes_N[: self.row + 1]


def _sentence_cut(sentence: np.ndarray, start: int, room: int) -> int:
  """Where to cut so that `room` tokens at most follow `start`.

  Before the last token that begins a sentence, if it lies in the last quarter
  of the room; else when the room is full.
  """
  least, most = start + room - room // 4, start + room
  begins = sentence[least : most + 1] != sentence[least - 1 : most]
  found = np.flatnonzero(begins)
  return int(least + found[-1]) if found.size else most


def pack(
  documents: Iterable[tuple[Encoded, bool]],
  length: int,
  packing: str,
  specials: Specials,
  dtype: Any = np.int32,
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
  """Cuts documents in pieces and fills rows with them.

  Every piece starts with the boundary token and is a segment of its own,
  numbered from 1 in each row. "packed": pieces fill the rows; where fewer than
  8 positions are left, no piece is started that does not end there.
  "document": a row holds one piece, cut at a sentence's end where one lies in
  the last quarter of the row.

  Args:
    documents: each with whether it ends here and so gets an [EOS].

  Yields:
    rows [N, 4, length], fields in the order of this module's constants and
    word and sentence counted from 0 in each row, zeros (and `specials.pad`)
    where nothing is; and bytes [N], the UTF-8 bytes of text in each row.
  """
  block = Block(ROWS, length, specials, dtype)
  for document, ends in documents:
    if not document.ids.size:
      continue
    if ends:
      document = _with_end(document, specials.end)
    start, count = 0, document.ids.size
    while start < count:
      left = 1 + count - start
      if packing == "document" or block.room < min(SHORTEST, left):
        if block.row == ROWS - 1:
          yield block.filled()
          block.clear()
        block.next_row()
      stop = min(count, start + block.room - 1)
      if packing == "document" and stop < count:
        stop = _sentence_cut(document.sentence, start, block.room - 1)
      block.add(document, start, stop)
      start = stop
  yield block.filled()
