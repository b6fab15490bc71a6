r"""Reads lines of text files; every reader uses this one definition of a line.

Lines end at "\n" alone: Python's own `splitlines` also cuts at form feeds,
U+0085, U+2028 and others, which may stand in a line of a text, in a string of
JSON and in Python's source. "\r\n" ends are stripped, and so are byte-order
marks, which editors and joined files leave where a line begins.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import pathlib
import re
import zlib
from collections.abc import Iterator
from typing import IO, Any

from lm_jax.data import encodings
from lm_jax.support.errors import UsageError

_LONGEST = 2**24  # bytes of a line
_MOST = 2**30  # bytes of a file that is read as a whole
_MARK = "\ufeff"
# What parts the columns of a file: not every white space of Unicode, since a
# no-break space may stand in a word.
_BLANKS = re.compile(r"[ \t]+")
# A half of a surrogate pair without the other, as JSON may spell it.
_HALF = re.compile(
  r"\\u[dD][89abAB]..(?!\\u[dD][c-fC-F])|(?<!\\u[dD][89abAB]..)\\u[dD][c-fC-F]"
)


def raw(
  path: pathlib.Path, encoding: str = encodings.UTF8, errors: str = "strict"
) -> Iterator[bytes]:
  """Yields the lines of a file, gzipped or not, with their ends.

  Those in another encoding than UTF-8 are in UTF-8 then.

  Raises:
    UsageError: the file cannot be read, is damaged, or a line is too long.
  """
  with opened(path) as file:
    file = encodings.to_utf8(file, encoding, errors, path)
    while line := file.readline(_LONGEST + 1):
      if len(line) > _LONGEST:
        raise UsageError(f"{path}: a line of more than {_LONGEST} bytes")
      yield line


def content(path: pathlib.Path) -> bytes:
  """Reads a whole file, gzipped or not.

  Raises:
    UsageError: the file can't be read, is damaged or too large.
  """
  with opened(path) as file:
    data = file.read(_MOST + 1)
  if len(data) > _MOST:
    raise UsageError(f"{path}: has more than {_MOST} bytes")
  return data


@contextlib.contextmanager
def opened(path: pathlib.Path) -> Iterator[IO[bytes]]:
  """Opens a file, gzipped or not; errors of reading it become UsageErrors."""
  opener: Any = gzip.open if path.suffix == ".gz" else open
  try:
    with opener(path, "rb") as file:
      yield file
  except (gzip.BadGzipFile, EOFError, zlib.error) as error:
    raise UsageError(f"{path}: damaged gzip file: {error}") from None
  except OSError as error:
    raise UsageError(f"{path}: cannot be read: {error.strerror}") from None


def texts(path: pathlib.Path) -> Iterator[tuple[str, str]]:
  """Yields the lines of a UTF-8 file, each with its place for messages."""
  for number, line in enumerate(raw(path), start=1):
    where = f"{path}, line {number}"
    text = decoded(line, where)
    yield where, text.removesuffix("\n").removesuffix("\r")


def decoded(data: bytes, where: object) -> str:
  """Decodes UTF-8, or raises UsageError; strips a byte-order mark."""
  try:
    text = data.decode()
  except UnicodeDecodeError as error:
    raise UsageError(
      f"{where}: is not UTF-8: byte {error.start} is {data[error.start]:#04x}"
    ) from None
  return text.removeprefix(_MARK)


def words(line: str) -> list[str]:
  """Splits a line into columns at blanks and tabs."""
  return _BLANKS.split(line.strip(" \t")) if line.strip(" \t") else []


def is_word(text: str) -> bool:
  """Returns whether a text can be a column of a line."""
  return words(text) == [text] and "\n" not in text and "\r" not in text


def parsed(data: bytes, where: object, whole: bool = False) -> Any:
  """Parses a line or a file of JSON.

  `where` names it in messages; of a `whole` file they name the line, too.

  Raises:
    UsageError: it is not UTF-8 or not JSON; or it has half of a surrogate
      pair, which is not a character: no tokenizer accepts it, no file holds it.
  """
  text = decoded(data, where)
  try:
    value = json.loads(text)
  except (ValueError, RecursionError) as error:
    raise UsageError(f"{where}: not JSON: {error}") from None
  if "\\u" in text:
    try:
      json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
      half = _HALF.search(text)
      at = text.count("\n", 0, half.start()) + 1 if half else 0
      place = f"{where}, line {at}" if whole and at else where
      raise UsageError(
        f"{place}: {error.object[error.start]!r} is half of a surrogate pair"
        " and no character"
      ) from None
  return value
