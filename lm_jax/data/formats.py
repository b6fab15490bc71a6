"""Reads documents from .txt, .jsonl (also gzipped) and .parquet files.

A .txt file is one document; so is a line of a .jsonl file and a row of a
.parquet file. Memory grows with the longest document (for Parquet, with the
row group), not with the corpus.
"""

from __future__ import annotations

import glob
import json
import os
import pathlib
from collections.abc import Callable, Iterator
from typing import IO

from lm_jax.data import encodings, lines
from lm_jax.data import paths as paths_lib
from lm_jax.support.errors import UsageError, about, short

# Bytes of one document. Longer ones are no text, or a small gzip file's bomb.
LARGEST = 2**30
PARQUET = ".parquet"
SUFFIXES = (".txt", ".jsonl", ".txt.gz", ".jsonl.gz", PARQUET)
_MARK = "\ufeff"  # of byte order
_ENCODING = (
  "--data.encoding=gb18030 (big5, shift_jis, utf-16, ...) reads another"
  " encoding, "
)
# Rows of Parquet that are decoded at once.
BATCH_ROWS = 256


def looks_like_files(corpus: str) -> bool:
  """Returns whether `--data.corpus` names files and not a TFDS data set."""
  return (
    corpus.startswith(("/", "./", "../", "~"))
    or corpus.endswith(SUFFIXES)
    or glob.has_magic(corpus)
    or os.path.exists(corpus)
  )


def find(corpus: str) -> list[pathlib.Path]:
  """Lists the files of a directory (with subdirectories), a file or a glob.

  Each is listed once, however many links lead to it; where there are none, it
  raises UsageError.
  """
  names = paths_lib.expand(os.path.expanduser(corpus))
  files = [pathlib.Path(name) for name in names if name.endswith(SUFFIXES)]
  if not files:
    hint = "; of a glob, [[] is a bracket" if "[" in corpus else ""
    raise UsageError(
      f"--data.corpus={corpus}: no file found; valid are a directory, a file "
      f"or a glob with files that end in {', '.join(SUFFIXES)}{hint}"
    )
  return files


def _name(path: pathlib.Path) -> str:
  """Returns a file name as text; bytes that are not UTF-8 become escapes."""
  return os.fsencode(path.name).decode("utf-8", "backslashreplace")


def decode(
  data: bytes, errors: str, where: object, offset: int = 0, file: bool = False
) -> str:
  """Decodes UTF-8 as --data.errors says, "strict" or "replace".

  Messages name the place, and the byte, counted from the data's offset there;
  of a `file`, also --data.encoding.
  """
  try:
    return data.decode("utf-8", errors)
  except UnicodeDecodeError as error:
    raise UsageError(
      f"{where}: byte {offset + error.start} (0x{data[error.start]:02x}) is "
      f"not UTF-8; {_ENCODING if file else ''}--data.errors=replace goes on"
      " with U+FFFD in its place"
    ) from error


def _line_text(line: str, text_key: str, errors: str) -> str:
  try:
    value = json.loads(line)
  except (ValueError, RecursionError) as error:
    raise UsageError(f"not JSON: {error}") from error
  if not isinstance(value, dict) or text_key not in value:
    keys = sorted(value)[:20] if isinstance(value, dict) else []
    raise UsageError(
      f"no field {text_key!r} (--data.text_key); it has "
      f"{', '.join(map(short, keys)) or 'no fields'}"
    )
  text = value[text_key]
  if not isinstance(text, str):
    raise UsageError(
      f"field {text_key!r} is not a string but {type(text).__name__}"
    )
  if errors == "replace":
    return text.encode("utf-8", "replace").decode()
  try:
    text.encode()
  except UnicodeEncodeError as error:  # An escaped half of a surrogate pair.
    raise UsageError(
      f"{error.object[error.start]!r} is not a character; --data.errors=replace"
      " goes on"
    ) from error
  return text


def _limited(
  read: Callable[[int], bytes], path: pathlib.Path, place: str = ""
) -> bytes:
  """Calls a file's read method; raises UsageError if it gives too much."""
  data = read(LARGEST + 1)
  if len(data) > LARGEST:
    raise UsageError(
      f"{path}{place}: a document of more than {LARGEST} bytes; split it"
    )
  return data


def _texts(
  file: IO[bytes], path: pathlib.Path, text_key: str, errors: str
) -> Iterator[tuple[str, str]]:
  if ".jsonl" not in path.name[-len(".jsonl.gz") :]:
    text = decode(_limited(file.read, path), errors, path, file=True)
    yield _name(path), text.removeprefix(_MARK)
    return
  offset = 0

  def read_line() -> bytes:
    return _limited(file.readline, path, f", byte {offset}")

  for number, data in enumerate(iter(read_line, b""), start=1):
    line = decode(data, errors, path, offset, file=True).removeprefix(_MARK)
    offset += len(data)
    if line.strip():
      with about(f"{path}, line {number}"):
        text = _line_text(line, text_key, errors)
      yield f"{_name(path)}:{number}", text


def _parquet_texts(
  file: IO[bytes], path: pathlib.Path, text_key: str, errors: str
) -> Iterator[tuple[str, str]]:
  try:
    import pyarrow
    from pyarrow import parquet
  except ModuleNotFoundError as error:
    raise UsageError(
      f"{path}: reading Parquet takes pyarrow, which is not installed; get it "
      "by: pip install 'lm_jax[parquet]'"
    ) from error
  types = pyarrow.types
  number = 0
  try:
    table = parquet.ParquetFile(file, pre_buffer=False)
    schema = table.schema_arrow
    if text_key not in schema.names:
      names = ", ".join(map(repr, schema.names))
      raise UsageError(
        f"{path}: no column {text_key!r} (--data.text_key); it has {names}"
      )
    kind = schema.field(text_key).type
    dictionary = types.is_dictionary(kind)
    held = kind.value_type if dictionary else kind
    views = types.is_string_view(held)
    if not (types.is_string(held) or types.is_large_string(held) or views):
      raise UsageError(
        f"{path}: column {text_key!r} is not of strings but of {held}"
      )
    for batch in table.iter_batches(BATCH_ROWS, columns=[text_key]):
      column = batch.column(0)
      if dictionary:
        column = column.dictionary_decode()
      # As bytes: strings that are not UTF-8 are reported here.
      for value in column.cast(pyarrow.large_binary()).to_pylist():
        number += 1
        if value is not None:
          text = decode(value, errors, f"{path}, row {number}")
          yield f"{_name(path)}:{number}", text
  except (pyarrow.ArrowException, OSError) as error:
    reason = " ".join(str(error).split())
    raise UsageError(f"{path}: damaged Parquet file: {reason}") from error


def read(
  paths: list[pathlib.Path],
  text_key: str,
  errors: str,
  encoding: str = encodings.UTF8,
) -> Iterator[tuple[str, str]]:
  """Yields the (name, text) of every document that is not blank, in order.

  Args:
    paths: the files.
    text_key, errors, encoding: --data.text_key and so on; Parquet has its own
      encoding.

  Raises:
    UsageError: data that is not of the encoding, JSON, gzip or Parquet, with
      file and place; Parquet without pyarrow.
  """
  for path in paths:
    texts = _parquet_texts if path.suffix == PARQUET else _texts
    with lines.opened(path) as file:
      if path.suffix != PARQUET:
        file = encodings.to_utf8(file, encoding, errors, path)
      for name, text in texts(file, path, text_key, errors):
        if text.strip():
          yield name, text
