"""A chunk of a corpus: texts, and the rows they become; no jax.

Chunks are packed apart from each other, so that it doesn't matter how many
processes there are. `python -m lm_jax.data.chunks` is one of them.
"""

from __future__ import annotations

import json
import pathlib
import struct
from collections.abc import Callable, Iterable, Iterator
from typing import IO, Any, NamedTuple

import numpy as np

from lm_jax.data import pack, worker_process
from lm_jax.data.encoding import Encoder
from lm_jax.data.table import row_checks
from lm_jax.data.text import pieces

# Text is tokenized by the group, and long documents in pieces of this size.
GROUP_CHARACTERS, PIECE_CHARACTERS = 2**20, 2**18
# Bytes of the text; begins; ends; number.
_HEADER = struct.Struct("<q??q")


class Text(NamedTuple):
  """A document, or a part of one: does it begin and end here?

  number: of the document, by which two that follow one another are told apart.
  """

  text: str
  begins: bool = True
  ends: bool = True
  number: int = 0


class Recipe(NamedTuple):
  """How texts become rows: the tokenizer, and what `pack.pack` takes."""

  content: str
  shunned: list[int]
  length: int
  packing: str
  marks: pack.Marks
  dtype: str
  every_script: bool = True  # of which stops end sentences


class Facts(NamedTuple):
  """What a chunk holds.

  rows: their number; filled: positions in them that are not padding; tokens:
  of the text; longest: the tokens of its longest document. As a document may
  go on from chunk to chunk: `begins`, does its first one begin here; `whole`,
  is it the only one; and the tokens here of the first and of the last one.
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
  """Writes texts, to be read by `read`."""
  for text, begins, ends, number in texts:
    data = text.encode()
    file.write(_HEADER.pack(len(data), begins, ends, number))
    file.write(data)


def read(file: IO[bytes]) -> Iterator[Text]:
  """The texts that `write` wrote."""
  while header := file.read(_HEADER.size):
    size, *rest = _HEADER.unpack(header)
    yield Text(file.read(size).decode(), *rest)


def _groups(
  texts: Iterable[Text], encoder: Encoder, every_script: bool, sizes: list[int]
) -> Iterator[pack.Group]:
  """Tokenizes texts, several at once; long ones come in pieces.

  sizes: gets the tokens of each document.
  """
  group: list[Text] = []
  characters = 0

  def encoded() -> pack.Group:
    tokens, counts_N = encoder.encode_flat(
      [piece.text for piece in group], every_script
    )
    for piece, count in zip(group, counts_N.tolist(), strict=True):
      if piece.begins or not sizes:
        sizes.append(0)
      sizes[-1] += count
    ends, numbers = [x.ends for x in group], [x.number for x in group]
    return pack.Group(tokens, counts_N, ends, numbers)

  for text in texts:
    found = list(pieces(text.text, PIECE_CHARACTERS))
    for i, piece in enumerate(found, 1):
      begins, ends = text.begins and i == 1, text.ends and i == len(found)
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
) -> Facts:
  """Writes the rows of a chunk, the bytes of text behind each, its CRC-32.

  Args:
    folder: gets the files rows, bytes and checks.
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
      _groups(noted(), encoder, recipe.every_script, sizes),
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
  return Facts(
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
  recipe = Recipe(*setup)._replace(marks=pack.Marks(*setup[4]))
  encoder = Encoder(recipe.content, recipe.shunned)

  def answer(path: str) -> bytes:
    folder = pathlib.Path(path)
    with (folder / "texts").open("rb") as texts:
      facts = make_rows(read(texts), encoder, recipe, folder)
    return json.dumps(facts).encode()

  return answer


if __name__ == "__main__":
  worker_process.serve(_answerer)
