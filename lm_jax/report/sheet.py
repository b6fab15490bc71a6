"""CSV as spreadsheets read it: no text becomes a formula."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterable, Sequence
from typing import Any

# What a spreadsheet takes for a formula, at the beginning of a cell; its wide
# forms, too, and blanks that it takes away.
_FORMULA = tuple("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")
# Control and direction characters, which a terminal or a page would obey.
_CONTROLS = re.compile(
  "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]"
)


def text(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
  """Writes a table as CSV.

  Args:
    rows: of numbers, texts, lists of these, True or False, or None for an empty
      cell.
  """
  out = io.StringIO()
  writer = csv.writer(out, lineterminator="\n")
  for row in (head, *rows):
    writer.writerow([cell(value) for value in row])
  return out.getvalue()


def cell(value: Any) -> Any:
  """Returns a value in the form of a spreadsheet's cell.

  Numbers stay numbers, also those that are written out. A text that would be a
  formula gets a ' in front; control characters are shown as \\x1b.
  """
  if value is None or isinstance(value, int | float):
    return value
  if isinstance(value, list | tuple):
    value = ",".join(str(cell(item)) for item in value)
  shown = _CONTROLS.sub(_escaped, str(value))
  return (
    f"'{shown}"
    if str(value).startswith(_FORMULA) and not _is_number(shown)
    else shown
  )


def _escaped(found: re.Match[str]) -> str:
  return found[0].encode("unicode_escape").decode()


def _is_number(text: str) -> bool:
  try:
    return text.isprintable() and math.isfinite(float(text))
  except ValueError:
    return False
