"""Texts of anybody, as a terminal or a page may show them."""

from __future__ import annotations

import re

# Control and direction characters, which a terminal or a page would obey.
_CONTROLS = re.compile(
  "[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]"
)


def printable(text: str) -> str:
  """The text with what must not reach a terminal or a page replaced."""
  return _CONTROLS.sub("\ufffd", text)


def escaped(text: str) -> str:
  """The text on one line, with escapes for what is not printable."""
  if text.isprintable():
    return text
  return "".join(
    sign if sign.isprintable() else sign.encode("unicode_escape").decode()
    for sign in text
  )
