"""Reads and packs one chunk of a corpus: texts and their rows; no jax.

Chunks are packed independently, so the number of processes doesn't matter.
`python -m lm_jax.data.chunks` runs one of them.
"""

from __future__ import annotations

import json
import pathlib
import struct
from collections.abc import Callable, Iterable, Iterator
from typing import IO, Any, NamedTuple

import numpy as np

from lm_jax.data import pack
from lm_jax.data.encoding import Encoder
from lm_jax.data.table import row_checks
from lm_jax.data.table_manifest import Dtype
from lm_jax.data.text import pieces
from lm_jax.data.word_facts import NEWEST, Rules
from lm_jax.support import worker_process

# Text is tokenized by the group, and long documents in pieces of this size.
GROUP_CHARACTERS, PIECE_CHARACTERS = 2**20, 2**18
# Bytes of the text; begins; ends; number.
_HEADER = struct.Struct("<q??q")


class Text(NamedTuple):
  """A document or a part of one.

  begins, ends: whether the document begins and ends here. number: of the
  document; it tells apart documents that follow one another.
  """

  text: str
  begins: bool = True
  ends: bool = True
  number: int = 0


class Recipe(NamedTuple):
  """Settings of rows: the tokenizer and the arguments of `pack.pack`."""

  content: str
  shunned: list[int]
  length: int
  packing: str
  marks: pack.Marks
  dtype: Dtype
  rules: Rules = NEWEST


class ChunkCounts(NamedTuple):
  """Counts of a chunk.

  rows: number of rows; filled: positions that are not padding; tokens: number
  of tokens of the text; longest: tokens of the longest document. A document may
  continue from chunk to chunk: `begins` says whether the first one begins here,
  `whole` whether it is the only one; `first` and `last` are the tokens here of
  the first and the last document.
  """

  rows: int
  filled: int
  tokens: int
  longest: int
  begins: bool
  whole: bool
  first: int
  last: int


def write(file: IO[bytes], texts: Iterable[Text]) -> None:
  """Writes texts in the form that `read` reads."""
  for text, begins, ends, number in texts:
    data = text.encode()
    file.write(_HEADER.pack(len(data), begins, ends, number))
    file.write(data)


def read(file: IO[bytes]) -> Iterator[Text]:
  """Yields the texts that `write` wrote."""
  while header := file.read(_HEADER.size):
    size, *rest = _HEADER.unpack(header)
    yield Text(file.read(size).decode(), *rest)


def _groups(
  texts: Iterable[Text], encoder: Encoder, sizes: list[int]
) -> Iterator[pack.Group]:
  """Tokenizes texts, several at once; long ones come in pieces.

  sizes: the number of tokens of each document is appended to it.
  """
  group: list[Text] = []
  characters = 0

  def encoded() -> pack.Group:
    tokens, counts_N = encoder.encode_flat([piece.text for piece in group])
    for piece, count in zip(group, counts_N.tolist(), strict=True):
      if piece.begins or not sizes:
        sizes.append(0)
      sizes[-1] += count
    ends, numbers = [x.ends for x in group], [x.number for x in group]
    return pack.Group(tokens, counts_N, ends, numbers)

  for text in texts:
    parts = list(pieces(text.text, PIECE_CHARACTERS))
    for i, piece in enumerate(parts, 1):
      begins, ends = text.begins and i == 1, text.ends and i == len(parts)
      group.append(Text(piece, begins, ends, text.number))
      characters += len(piece)
      if characters >= GROUP_CHARACTERS:
        yield encoded()
        group, characters = [], 0
  if group:
    yield encoded()


def make_rows(
  texts: Iterable[Text],
  encoder: Encoder,
  recipe: Recipe,
  folder: pathlib.Path,
) -> ChunkCounts:
  """Writes the rows of a chunk, their bytes of text and their CRC-32.

  Args:
    folder: the files rows, bytes and checks are written there.
  """
  first: list[Text] = []

  def noted() -> Iterator[Text]:
    for text in texts:
      first[:] = first or [text._replace(text="")]
      yield text

  sizes: list[int] = []
  rows = filled = 0
  with (
    (folder / "rows").open("wb") as rows_file,
    (folder / "bytes").open("wb") as bytes_file,
    (folder / "checks").open("wb") as checks_file,
  ):
    for rows_NxFxL, bytes_N in pack.pack(
      _groups(noted(), encoder, sizes),
      recipe.length,
      recipe.packing,
      recipe.marks,
      np.dtype(recipe.dtype),
    ):
      rows += len(rows_NxFxL)
      filled += int(np.count_nonzero(rows_NxFxL[:, pack.SEGMENT]))
      rows_file.write(rows_NxFxL.data)
      bytes_file.write(bytes_N.data)
      checks_N = np.fromiter(row_checks(rows_NxFxL), np.uint32)
      checks_file.write(checks_N.data)
  sizes = sizes or [0]
  return ChunkCounts(
    rows=rows,
    filled=filled,
    tokens=sum(sizes),
    longest=max(sizes),
    begins=not first or first[0].begins,
    whole=len(sizes) == 1,
    first=sizes[0],
    last=sizes[-1],
  )


def _answerer(setup: Any) -> Callable[[Any], bytes]:
  recipe = Recipe(*setup)
  recipe = recipe._replace(
    marks=pack.Marks(*recipe.marks), rules=Rules(*recipe.rules)
  )
  encoder = Encoder(recipe.content, recipe.shunned, rules=recipe.rules)

  def answer(path: str) -> bytes:
    folder = pathlib.Path(path)
    with (folder / "texts").open("rb") as texts:
      counts = make_rows(read(texts), encoder, recipe, folder)
    return json.dumps(counts).encode()

  return answer


if __name__ == "__main__":
  worker_process.serve(_answerer)
