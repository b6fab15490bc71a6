"""Tables of tab-separated values, as GLUE publishes its tasks."""

from __future__ import annotations

import pathlib
from collections.abc import Collection, Iterator, Sequence
from typing import Any

from absl import logging

from lm_jax.data import lines
from lm_jax.support.errors import UsageError


def records(
  path: pathlib.Path, columns: Sequence[str], known: Collection[str]
) -> Iterator[tuple[str, str, dict[str, Any]]]:
  """Where each row is, its line number, and its cells by column.

  No sign quotes another, as in GLUE's own reader. Rows without a cell for
  each column, of which GLUE's files have some, are left out and counted.

  Args:
    path: of the file, gzipped or not.
    columns: of a table whose first line does not name them.
    known: names of which one or more stand in a first line that does.

  Raises:
    UsageError: it has no header, or is not UTF-8, with its line.
  """
  names: Sequence[str] = ()
  short: list[str] = []
  for where, text in lines.texts(path):
    number = where.rpartition(" ")[2]
    cells = text.split("\t")
    if not names:
      names = cells
      if not set(cells) & set(known):
        names = columns
        if not names:
          raise UsageError(
            f"{where}: names no column that is known: {', '.join(known)}"
          )
      if names is cells:
        continue
    if len(cells) < len(names):
      if text:
        short.append(number)
      continue
    yield where, number, dict(zip(names, cells, strict=False))
  if short:
    logging.warning(
      "%s: %d rows have fewer cells than columns, the first in line %s; left"
      " out",
      *(path, len(short), short[0]),
    )
