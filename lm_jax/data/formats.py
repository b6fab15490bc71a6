"""Reads documents from .txt, .jsonl (also gzipped) and .parquet files.

A .txt file is one document; so is a line of a .jsonl file and a row of a
.parquet file. Memory grows with the longest document (for Parquet, with the
row group), not with the corpus.
"""

from __future__ import annotations

import glob
import gzip
import json
import os
import pathlib
import zlib
from collections.abc import Callable, Iterator
from typing import IO, Any

from lm_jax.data import paths as paths_lib
from lm_jax.support.errors import UsageError, short

# Bytes of one document. Longer ones are no text, or a small gzip file's bomb.
LARGEST = 2**30
PARQUET = ".parquet"
SUFFIXES = (".txt", ".jsonl", ".txt.gz", ".jsonl.gz", PARQUET)
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

  Each is listed once, however many links lead to it.

  Raises:
    UsageError: there are no files.
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


def _decode(data: bytes, path: pathlib.Path, offset: int, errors: str) -> str:
  try:
    return data.decode("utf-8", errors).removeprefix("\ufeff")
  except UnicodeDecodeError as error:
    raise UsageError(
      f"{path}: byte {offset + error.start} (0x{data[error.start]:02x}) is "
      "not UTF-8; --data.errors=replace goes on with U+FFFD in its place"
    ) from error


def _line_text(
  line: str, path: pathlib.Path, number: int, text_key: str, errors: str
) -> str:
  try:
    value = json.loads(line)
  except (ValueError, RecursionError) as error:
    raise UsageError(f"{path}, line {number}: not JSON: {error}") from error
  if not isinstance(value, dict) or text_key not in value:
    keys = sorted(value)[:20] if isinstance(value, dict) else []
    raise UsageError(
      f"{path}, line {number}: no field {text_key!r} (--data.text_key); it "
      f"has {', '.join(map(short, keys)) or 'no fields'}"
    )
  text = value[text_key]
  if not isinstance(text, str):
    raise UsageError(
      f"{path}, line {number}: field {text_key!r} is not a string but "
      f"{type(text).__name__}"
    )
  if errors == "replace":
    return text.encode("utf-8", "replace").decode()
  try:
    text.encode()
  except UnicodeEncodeError as error:  # An escaped half of a surrogate pair.
    raise UsageError(
      f"{path}, line {number}: {error.object[error.start]!r} is not a "
      "character; --data.errors=replace goes on"
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
    yield _name(path), _decode(_limited(file.read, path), path, 0, errors)
    return
  offset = 0
  lines = iter(lambda: _limited(file.readline, path, f", byte {offset}"), b"")
  for number, data in enumerate(lines, start=1):
    line = _decode(data, path, offset, errors)
    offset += len(data)
    if line.strip():
      name = f"{_name(path)}:{number}"
      yield name, _line_text(line, path, number, text_key, errors)


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
          name = f"{_name(path)}:{number}"
          yield name, _row_text(value, path, number, errors)
  except (pyarrow.ArrowException, OSError) as error:
    reason = " ".join(str(error).split())
    raise UsageError(f"{path}: damaged Parquet file: {reason}") from error


def _row_text(data: bytes, path: pathlib.Path, number: int, errors: str) -> str:
  try:
    return data.decode("utf-8", errors)
  except UnicodeDecodeError as error:
    raise UsageError(
      f"{path}, row {number}: byte {error.start} (0x{data[error.start]:02x}) "
      "is not UTF-8; --data.errors=replace goes on with U+FFFD in its place"
    ) from error


def read(
  paths: list[pathlib.Path], text_key: str, errors: str
) -> Iterator[tuple[str, str]]:
  """Yields the (name, text) of every document that is not blank, in order.

  Raises:
    UsageError: data that is not UTF-8, JSON, gzip or Parquet, with file and
      place; Parquet without pyarrow.
  """
  for path in paths:
    try:
      opener: Any = gzip.open if path.suffix == ".gz" else open
      texts = _parquet_texts if path.suffix == PARQUET else _texts
      with opener(path, "rb") as file:
        for name, text in texts(file, path, text_key, errors):
          if text.strip():
            yield name, text
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
      raise UsageError(f"{path}: damaged gzip file: {error}") from error
    except OSError as error:
      raise UsageError(f"{path}: cannot be read: {error.strerror}") from error
