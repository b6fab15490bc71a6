"""Texts in columns of a terminal, where a Chinese character takes two cells."""

from __future__ import annotations

import textwrap
from typing import Any


def width(text: str) -> int:
  """Counts the cells of a text on a terminal.

  >>> width("abc"), width("诗词")
  (3, 4)
  """
  if text.isascii():
    return len(text)
  import wcwidth

  return wcwidth.width(text)


def left(text: str, cells: int) -> str:
  """Fills a text up with spaces on its right."""
  return text + " " * (cells - width(text))


def right(text: str, cells: int) -> str:
  """Fills a text up with spaces on its left."""
  return " " * (cells - width(text)) + text


def wrap(text: str, cells: int, most: int | None = None) -> list[str]:
  """Splits a text into lines of so many cells, at spaces where there are any.

  most: lines; a longer text ends in " …".

  >>> wrap("诗词 abc 评论", 6)
  ['诗词', 'abc', '评论']
  """
  library: Any = textwrap
  if not text.isascii():
    import wcwidth

    library = wcwidth
  return library.wrap(
    text, cells, break_on_hyphens=False, max_lines=most, placeholder=" …"
  )
