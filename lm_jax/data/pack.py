"""Documents to rows of one length."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from lm_jax.data.tokenizer import Encoded
from lm_jax.types import ABSENT, Specials

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
  """Rows that are being filled, and where the next piece goes.

  Args:
    size, length: of the rows.
    pad: where nothing is.
    before, after: special tokens around each piece.
    dtype: of the rows.
  """

  def __init__(
    self,
    size: int,
    length: int,
    pad: int,
    before: tuple[int, ...],
    after: tuple[int, ...] = (),
    dtype: Any = np.int32,
  ):
    self.size = size
    self.length = length
    self.pad = pad
    self.before = before
    self.after = after
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
    """Adds tokens start to stop, if any, and what is around, as a segment.

    The special tokens are words of their own, in the sentences beside them.
    """
    row_FxL = self.rows_NxFxL[self.row]
    before, after = len(self.before), len(self.after)
    inside = slice(self.column + before, self.column + before + stop - start)
    end = inside.stop + after
    words = document.word[start:stop] - document.word[start : start + 1]
    sentences = document.sentence[start:stop]
    sentences = sentences - sentences[:1]
    self.segment += 1
    row_FxL[SEGMENT, self.column : end] = self.segment
    row_FxL[TOKENS, self.column : inside.start] = self.before
    row_FxL[TOKENS, inside] = document.ids[start:stop]
    row_FxL[TOKENS, inside.stop : end] = self.after
    word = self.word + before
    row_FxL[WORD, self.column : inside.start] = range(self.word, word)
    row_FxL[WORD, inside] = words + word
    self.word = word + (int(words[-1]) + 1 if words.size else 0) + after
    row_FxL[WORD, inside.stop : end] = range(self.word - after, self.word)
    row_FxL[SENTENCE, self.column : inside.start] = self.sentence
    row_FxL[SENTENCE, inside] = sentences + self.sentence
    self.sentence += int(sentences[-1]) if sentences.size else 0
    row_FxL[SENTENCE, inside.stop : end] = self.sentence
    self.sentence += 1
    self.bytes_N[self.row] += document.bytes[start:stop].sum()
    self.column = end

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
    documents: each with whether it ends here and so gets an [EOS], where the
      tokenizer has one.

  Yields:
    rows [N, 4, length], fields in the order of this module's constants and
    word and sentence counted from 0 in each row, zeros (and `specials.pad`)
    where nothing is; and bytes [N], the UTF-8 bytes of text in each row.
  """
  before = (specials.boundary,)
  block = Block(ROWS, length, specials.pad, before, dtype=dtype)
  for document, ends in documents:
    if not document.ids.size:
      continue
    if ends and specials.end != ABSENT:
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
