"""Reads tables of tab-separated values, the format of GLUE."""

from __future__ import annotations

import pathlib
from collections.abc import Collection, Sequence

from absl import logging

from lm_jax.data import lines
from lm_jax.examples.files import Source
from lm_jax.support.errors import UsageError


def records(
  path: pathlib.Path, columns: Sequence[str], known: Collection[str]
) -> Source:
  """Yields the cells of each row by column, named by its line number.

  There are no quotes, as in GLUE's own reader. Rows without a cell for each
  column, which GLUE's files contain, are left out and counted.

  Args:
    path: of the file, gzipped or not.
    columns: names of the columns if the first line has no header.
    known: names; the first line is a header if it has one of them.

  Raises:
    UsageError: there is no header, or a line is not UTF-8 (with its number).
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
