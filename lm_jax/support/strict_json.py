"""JSON that may come from anybody: it is what it says, or a UsageError.

Python's own reader also takes NaN, makes 1e999 infinite, lets the last of two
equal names win, gives halves of surrogate pairs, which nothing can write, and
ends in a RecursionError where lists are nested deeply.
"""

from __future__ import annotations

import json
import math
import os
import re
from pathlib import Path
from typing import Any

from lm_jax.support.errors import UsageError

MOST_BYTES = 2**28  # of a file; the largest tokenizer.json have 2^25
_HALF = re.compile(r"\\u[dD][89a-fA-F]")


def parse(text: str, where: object, finite: bool = True) -> Any:
  """The value of a JSON text, which `where` names in messages.

  `finite` refuses NaN and infinities, which are no JSON; results may have
  them.

  Raises:
    UsageError: it is no JSON, or none that means one thing only.
  """
  if len(text) > MOST_BYTES:
    raise UsageError(
      f"{where}: has {len(text)} characters, and at most {MOST_BYTES} are read"
    )
  numbers: dict[str, Any] = {}
  if finite:
    numbers = {"parse_constant": _refuse, "parse_float": _finite}
  try:
    value = json.loads(text, object_pairs_hook=_unique, **numbers)
    if _HALF.search(text):
      json.dumps(value, ensure_ascii=False).encode()
  except UnicodeEncodeError:
    raise UsageError(f"{where}: not JSON: half a surrogate pair") from None
  except RecursionError:
    raise UsageError(f"{where}: not JSON: nested too deeply") from None
  except ValueError as error:
    raise UsageError(f"{where}: not JSON: {error}") from None
  return value


def read(
  path: str | os.PathLike, where: object = None, finite: bool = True
) -> Any:
  """The value in a JSON file; as `parse` and `text_of`."""
  return parse(text_of(path, where), where or path, finite)


def text_of(path: str | os.PathLike, where: object = None) -> str:
  """The text of a small file of UTF-8.

  Raises:
    UsageError: it cannot be read, is larger than MOST_BYTES or not UTF-8.
  """
  path, where = Path(path), where or path
  try:
    with path.open("rb") as file:
      data = file.read(MOST_BYTES + 1)
  except (OSError, ValueError) as error:  # a name may be no name at all
    reason = getattr(error, "strerror", None) or error
    raise UsageError(f"{where}: cannot be read: {reason}") from None
  if len(data) > MOST_BYTES:
    raise UsageError(f"{where}: has more than {MOST_BYTES} bytes")
  try:
    return data.decode()
  except UnicodeDecodeError as error:
    raise UsageError(f"{where}: not UTF-8: {error}") from None


def is_file_name(text: str) -> bool:
  """Returns whether a name in a file may name a file in a directory."""
  separators = set("/\\\0")
  return 0 < len(text.encode()) < 256 and not (
    separators & set(text) or text in (".", "..")
  )


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
  members = dict(pairs)
  if len(members) < len(pairs):
    for name, _ in pairs:
      if name not in members:
        twice = name
        break
      del members[name]
    raise ValueError(f"the name {twice!r:.80} twice in an object")
  return members


def _finite(text: str) -> float:
  value = float(text)
  if not math.isfinite(value):
    raise ValueError(f"the number {text:.80} is too large")
  return value


def _refuse(constant: str) -> Any:
  raise ValueError(f"{constant} is no number of JSON")
