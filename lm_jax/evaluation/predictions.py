"""Predictions item by item: one JSON object a line.

"task", "id" and "score" (a number; 1 is right, 0 wrong) have to be there.
"asked" is what was asked, a text or an object of texts; "right" the right
answer; "answer" what the model said; whatever else there is shows more.
Records of one item that differ in "shots" are measured apart, those that
differ in "draw" are averaged.
"""

from __future__ import annotations

import json
import math
import os
import pathlib
from collections.abc import Iterable, Iterator
from typing import Any

from lm_jax.storage.log import write_atomically
from lm_jax.support import strict_json
from lm_jax.support.errors import UsageError, short

Record = dict[str, Any]
_LONGEST_LINE = 2**24  # bytes


def write(path: str | os.PathLike, records: Iterable[Record]) -> None:
  """Writes a file, whole or not at all."""
  text = "".join(
    json.dumps(_plain(record), ensure_ascii=False, allow_nan=False) + "\n"
    for record in records
  )
  write_atomically(path, text)


def read(path: str | os.PathLike, where: str = "") -> Iterator[Record]:
  """Reads the records of a file, in their order.

  Args:
    path: of the file.
    where: names it in messages; its path by default.

  Raises:
    UsageError: it can't be read, or what is wrong with a line, by its number.
  """
  where = where or str(path)
  try:
    with pathlib.Path(path).open("rb") as file:
      number = 0
      while data := file.readline(_LONGEST_LINE + 1):
        number += 1
        at = f"{where}, line {number}"
        if len(data) > _LONGEST_LINE:
          raise UsageError(f"{at}: has more than {_LONGEST_LINE} bytes")
        if data.strip():
          yield _record(data, at)
  except OSError as error:
    raise UsageError(f"{where}: cannot be read: {error.strerror}") from None


def _record(data: bytes, where: str) -> Record:
  try:
    text = data.decode("utf-8-sig")
  except UnicodeDecodeError as error:
    raise UsageError(f"{where}: is not UTF-8: byte {error.start}") from None
  record = strict_json.parse(text, where)
  if not isinstance(record, dict):
    raise UsageError(f"{where}: must be an object, not {short(record)}")
  for name in ("task", "id", "score"):
    if name not in record:
      raise UsageError(
        f'{where}: no field "{name}"; predictions have "task", "id" and "score"'
      )
  for name in ("task", "id"):
    value = record[name]
    if type(value) is int:
      record[name] = value = str(value)
    if not isinstance(value, str) or not value:
      raise UsageError(f"{where}: {name}={short(value)}: must be a text")
  score = record["score"]
  if type(score) not in (int, float) or abs(score) > 1e100:
    raise UsageError(
      f"{where}: score={short(score)}: must be a number; 1 is right, 0 wrong"
    )
  for name in ("shots", "draw"):
    count = record.get(name)
    if count is not None and (type(count) is not int or count < 0):
      raise UsageError(
        f"{where}: {name}={short(count)}: must be a whole number"
      )
  return record


def _plain(value: Any) -> Any:
  """Makes a value that every reader of JSON takes.

  Numbers that are not finite are null, halves of surrogate pairs U+FFFD.
  """
  if isinstance(value, dict):
    return {_plain(str(name)): _plain(part) for name, part in value.items()}
  if isinstance(value, list | tuple):
    return [_plain(part) for part in value]
  if isinstance(value, float):
    return value if math.isfinite(value) else None
  if isinstance(value, str):
    return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
  return value
