"""Packs documents into rows of one length; no jax, as in encoding.py."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from lm_jax.data.encoding import Encoded

# A packing: a row holds whole sentences of one document.
WHOLE = "whole sentences"
# The arrays of a row, in the order in which they are stored.
TOKENS, SEGMENT, WORD, SENTENCE = range(4)
FIELDS = 4


class Marks(NamedTuple):
  """Ids in rows that are not text.

  pad: of empty positions; boundary: starts each piece; end: ends a document,
  None where the tokenizer has none.
  """

  pad: int
  boundary: int
  end: int | None


class Pieces(NamedTuple):
  """Pieces of tokens and their places in rows: int64 [P], in token order.

  Piece p is tokens start[p] to stop[p] and goes to row[p] from column[p] on.
  Rows never decrease, and each token belongs to one piece. Without `segment`,
  segments are numbered from 1 in each row.
  """

  start: np.ndarray
  stop: np.ndarray
  row: np.ndarray
  column: np.ndarray
  segment: np.ndarray | None = None


class PackState(NamedTuple):
  """The end of the last row so far; the next piece may continue there."""

  column: int
  segment: int = 0
  word: int = 0
  sentence: int = 0


_NOTHING = PackState(0)


def _cumulative(sizes_P: np.ndarray, first_P: np.ndarray) -> np.ndarray:
  """Sums the sizes of the pieces before each piece in its row."""
  before_P = np.cumsum(sizes_P) - sizes_P
  return before_P - before_P[first_P]


def write_pieces(
  rows_NxFxL: np.ndarray,
  flat: Encoded,
  pieces: Pieces,
  before: Sequence[int],
  after: Sequence[int] = (),
  begun: PackState = _NOTHING,
) -> PackState:
  """Writes pieces and the special tokens around them, each as a segment.

  Each special token is a word of its own, in the sentence next to it.

  Args:
    rows_NxFxL: the rows; they are changed in place.
    flat: the tokens.
    pieces: at least one; the rows have room for them.
    before, after: ids around each piece.
    begun: the state of row 0, which may hold pieces already.

  Returns:
    The state of the last row.
  """
  counts_P = pieces.stop - pieces.start
  full = counts_P > 0
  first_P = np.searchsorted(pieces.row, pieces.row)
  old_P = pieces.row == 0
  last_P = np.maximum(pieces.stop - 1, 0)
  start_P = np.where(full, pieces.start, last_P)

  def spans(values: np.ndarray) -> np.ndarray:
    if not values.size:
      return np.zeros(counts_P.shape, np.int64)
    return np.where(full, values[last_P] - values[start_P], 0).astype(np.int64)

  segment_P = np.arange(counts_P.size) - first_P + 1 + begun.segment * old_P
  if pieces.segment is not None:
    segment_P = pieces.segment
  words_P = spans(flat.word) + full + len(before) + len(after)
  word_P = _cumulative(words_P, first_P) + begun.word * old_P
  sentences_P = spans(flat.sentence)
  sentence_P = _cumulative(sentences_P + 1, first_P) + begun.sentence * old_P

  length = rows_NxFxL.shape[2]
  cells = rows_NxFxL.reshape(-1)  # a view: indexing it is far faster

  def write(field: int, cell: Any, values: Any) -> None:
    cells[cell + field * length] = values

  cell_P = pieces.row * (FIELDS * length) + pieces.column
  cell_T = np.arange(flat.ids.size)
  cell_T += np.repeat(cell_P + len(before) - pieces.start, counts_P)

  def relative(values: np.ndarray, base_P: np.ndarray) -> np.ndarray:
    if not values.size:
      return values
    return values + np.repeat(base_P - values[start_P], counts_P)

  write(TOKENS, cell_T, flat.ids)
  write(SEGMENT, cell_T, np.repeat(segment_P, counts_P))
  write(WORD, cell_T, relative(flat.word, word_P + len(before)))
  write(SENTENCE, cell_T, relative(flat.sentence, sentence_P))
  end_P = len(before) + counts_P
  for ids, offset_P, index_P, place_P in (
    (before, np.zeros_like(counts_P), word_P, sentence_P),
    (after, end_P, word_P + words_P - len(after), sentence_P + sentences_P),
  ):
    for i, token in enumerate(ids):
      at = cell_P + offset_P + i
      write(TOKENS, at, token)
      write(SEGMENT, at, segment_P)
      write(WORD, at, index_P + i)
      write(SENTENCE, at, place_P)
  return PackState(
    int(pieces.column[-1] + end_P[-1]) + len(after),
    int(segment_P[-1]),
    int(word_P[-1] + words_P[-1]),
    int(sentence_P[-1] + sentences_P[-1]) + 1,
  )


def empty(count: int, length: int, pad: int, dtype: Any) -> np.ndarray:
  """Makes empty rows: [count, 4, length]."""
  rows_NxFxL = np.zeros((count, FIELDS, length), dtype)
  rows_NxFxL[:, TOKENS] = pad
  return rows_NxFxL


class Group(NamedTuple):
  """Documents, or parts of documents, that are packed together.

  tokens: of all of them; counts: number of tokens of each; ends: whether the
  document ends there; numbers: of the documents.
  """

  tokens: Encoded
  counts: np.ndarray
  ends: Sequence[bool]
  numbers: Sequence[int] = ()


def _with_ends(group: Group, end: int) -> tuple[Encoded, np.ndarray]:
  """Inserts [EOS] where a document ends; returns tokens and new counts.

  Each [EOS] is a word of its own in the last sentence.
  """
  tokens, counts_N = group.tokens, np.asarray(group.counts, np.int64)
  gets_N = np.asarray(group.ends, bool) & (counts_N > 0)
  at = np.cumsum(counts_N)[gets_N]
  inserted = Encoded(
    ids=np.insert(tokens.ids, at, end),
    word=np.insert(tokens.word, at, tokens.word[at - 1] + 1),
    sentence=np.insert(tokens.sentence, at, tokens.sentence[at - 1]),
    bytes=np.insert(tokens.bytes, at, 0),
  )
  return inserted, counts_N + gets_N


def _sentence_cut(sentence: np.ndarray, start: int, room: int) -> int:
  """Finds a cut so that at most `room` tokens follow `start`.

  It is before the last token that begins a sentence, if that lies in the last
  quarter of the room; else where the room is full.
  """
  least, most = start + room - room // 4, start + room
  begins = sentence[least : most + 1] != sentence[least - 1 : most]
  begin_indices = np.flatnonzero(begins)
  return int(least + begin_indices[-1]) if begin_indices.size else most


def _whole_cut(
  sentence: np.ndarray, start: int, stop: int, room: int, inside: bool
) -> int:
  """Finds a cut that keeps sentences whole.

  It is before the last sentence that does not fit. A sentence longer than the
  room fills rows of its own, which hold no other sentence.

  Args:
    sentence: number of the sentence of each token.
    start: first token of the next piece.
    stop: end of the document; more than `room` tokens may be left.
    room: the most tokens that fit.
    inside: whether `start` lies inside a sentence.
  """
  most = min(stop, start + room)
  last = min(most, stop - 1)
  begins = sentence[start + 1 : last + 1] != sentence[start:last]
  begin_indices = np.flatnonzero(begins) + start + 1
  if inside and begin_indices.size:
    return int(begin_indices[0])  # the rest of a long one
  if most == stop:
    return stop
  return int(begin_indices[-1]) if begin_indices.size else most


def shortest(length: int) -> int:
  """Fewest positions for starting a piece that does not end in the row.

  The positions left empty stay below 2 %, for short documents too.
  """
  return max(2, min(8, length // 16))


def _plan(
  tokens: Encoded,
  counts_N: Sequence[int],
  length: int,
  packing: str,
  column: int,
) -> Pieces:
  """Cuts documents into pieces and places each in a row.

  Args:
    column: the first free column of row 0.
  """
  spans: list[tuple[int, int, int, int]] = []
  least, alone = shortest(length), packing in ("document", WHOLE)
  row = start = stop = 0
  for count in counts_N:
    first, stop = stop, stop + count
    while start < stop:
      left = 1 + stop - start
      if alone or length - column < min(least, left):
        row += column > 0
        column = 0
      cut = min(stop, start + length - column - 1)
      if packing == "document" and cut < stop:
        cut = _sentence_cut(tokens.sentence, start, length - column - 1)
      if packing == WHOLE:
        sentence, room = tokens.sentence, length - column - 1
        inside = start > first and sentence[start] == sentence[start - 1]
        cut = _whole_cut(sentence, start, stop, room, inside)
      spans.append((start, cut, row, column))
      column += 1 + cut - start
      start = cut
  return Pieces(*np.array(spans, np.int64).reshape(-1, 4).T)


def _numbers(
  pieces: Pieces, counts_N: np.ndarray, group: Group, length: int
) -> np.ndarray:
  """Numbers each piece's document from 1 to length - 1, cyclically."""
  number_N = np.asarray(group.numbers or range(len(counts_N)), np.int64)
  document_P = np.searchsorted(np.cumsum(counts_N), pieces.start, side="right")
  return 1 + number_N[document_P] % (length - 1)


def pack(
  groups: Iterable[Group],
  length: int,
  packing: str,
  marks: Marks,
  dtype: Any = np.int32,
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
  """Cuts documents into pieces and fills rows with them.

  Every piece starts with the boundary token and is a segment of its own,
  numbered from 1 in each row. "packed": pieces fill the rows; where fewer than
  `shortest(length)` positions are left, no piece is started that does not end
  there. "document": a row holds one piece, cut at a sentence's end where one
  lies in the last quarter of the row. WHOLE: a row holds one piece of whole
  sentences, or a part of a longer one; its segment number, 1 to length - 1,
  tells its document from others nearby. Where a document ends it gets an [EOS],
  if the tokenizer has one. The grouping of documents changes nothing.

  Yields:
    rows [N, 4, length], fields in the order of this module's constants and
    word and sentence counted from 0 in each row, zeros (and `marks.pad`)
    in empty positions; and bytes int32 [N], the UTF-8 bytes of text in each
    row.
  """
  begun = _NOTHING
  last_1xFxL = empty(1, length, marks.pad, dtype)
  last_bytes = 0
  for group in groups:
    tokens, counts_N = group.tokens, np.asarray(group.counts, np.int64)
    if marks.end is not None:
      tokens, counts_N = _with_ends(group, marks.end)
    pieces = _plan(tokens, counts_N.tolist(), length, packing, begun.column)
    if not pieces.row.size:
      continue
    if packing == WHOLE:
      pieces = pieces._replace(
        segment=_numbers(pieces, counts_N, group, length)
      )
    rows_NxFxL = empty(int(pieces.row[-1]) + 1, length, marks.pad, dtype)
    rows_NxFxL[:1] = last_1xFxL
    begun = write_pieces(
      rows_NxFxL, tokens, pieces, (marks.boundary,), begun=begun
    )
    ends = np.concatenate([[0], np.cumsum(tokens.bytes, dtype=np.int64)])
    bytes_N = np.zeros(len(rows_NxFxL), np.int32)
    bytes_N[0] = last_bytes
    np.add.at(bytes_N, pieces.row, ends[pieces.stop] - ends[pieces.start])
    # The last row may go on with the next group.
    yield rows_NxFxL[:-1], bytes_N[:-1]
    last_1xFxL, last_bytes = rows_NxFxL[-1:].copy(), int(bytes_N[-1])
  if begun.column:
    yield last_1xFxL, np.array([last_bytes], np.int32)
