"""Documents in .txt and .jsonl files, gzipped or not.

A .txt file is a document, and so is a line of a .jsonl file. Memory goes with
the longest document, not with the corpus.
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

from lm_jax.errors import UsageError, short

# Bytes of one document. Longer ones are no text, or a small gzip file's bomb.
LARGEST = 2**30
SUFFIXES = (".txt", ".jsonl", ".txt.gz", ".jsonl.gz")


def looks_like_files(corpus: str) -> bool:
  """Whether `--data.corpus` names files and not a TFDS data set."""
  return (
    corpus.startswith(("/", "./", "../", "~"))
    or corpus.endswith(SUFFIXES)
    or glob.has_magic(corpus)
    or os.path.exists(corpus)
  )


def find(corpus: str) -> list[pathlib.Path]:
  """The files of a directory (its subdirectories included), a file or a glob.

  Raises:
    UsageError: there is none.
  """
  pattern = os.path.expanduser(corpus)
  if os.path.isdir(pattern):
    pattern = os.path.join(glob.escape(pattern), "**", "*")
  names = sorted(glob.glob(pattern, recursive=True))
  found = [
    pathlib.Path(name)
    for name in names
    if name.endswith(SUFFIXES) and os.path.isfile(name)
  ]
  if not found:
    raise UsageError(
      f"--data.corpus={corpus}: no file found; valid are a directory, a file "
      f"or a glob with files that end in {', '.join(SUFFIXES)}"
    )
  return found


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
  """What a file's method reads, or UsageError if that is too much."""
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
    yield path.name, _decode(_limited(file.read, path), path, 0, errors)
    return
  offset = 0
  lines = iter(lambda: _limited(file.readline, path, f", byte {offset}"), b"")
  for number, data in enumerate(lines, start=1):
    line = _decode(data, path, offset, errors)
    offset += len(data)
    if line.strip():
      name = f"{path.name}:{number}"
      yield name, _line_text(line, path, number, text_key, errors)


def read(
  paths: list[pathlib.Path], text_key: str, errors: str
) -> Iterator[tuple[str, str]]:
  """The (name, text) of every document that isn't blank, in order.

  Raises:
    UsageError: what is not UTF-8, JSON or gzip, with file and place.
  """
  for path in paths:
    try:
      opener: Any = gzip.open if path.suffix == ".gz" else open
      with opener(path, "rb") as file:
        for name, text in _texts(file, path, text_key, errors):
          if text.strip():
            yield name, text
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
      raise UsageError(f"{path}: damaged gzip file: {error}") from error
    except OSError as error:
      raise UsageError(f"{path}: cannot be read: {error.strerror}") from error
