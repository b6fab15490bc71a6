"""Standard streams that are closed, full or gone.

A process may be started without some of them (`>&-`, daemons), and a terminal
may go away. What is opened next would take their numbers, so that others'
output would get into our files.
"""

from __future__ import annotations

import codecs
import io
import os
import sys
from typing import Any, TextIO

from lm_jax.support.errors import UsageError
from lm_jax.support.printable import printable

CLOSED = 141  # as a shell has it of a program that SIGPIPE ended
# Errors of streams where the user chose none.
_DEFAULTS = ("strict", "surrogateescape", "backslashreplace")
_ERRORS = "lm_jax.streams"  # handles what an encoding has not
# ASCII for the signs of tables and bars in encodings that lack them.
_ASCII = str.maketrans(
  {
    **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212", "-"),
    **dict.fromkeys("\u2018\u2019\u2032", "'"),
    **dict.fromkeys("\u201c\u201d\u2033", '"'),
    **{"≤": "<=", "≥": ">=", "≈": "~", "±": "+-", "×": "x", "·": "*"},
    **{
      "…": "...",
      "→": "->",
      "←": "<-",
      "•": "*",
      "\u00a0": " ",
      "\ufffd": "?",
    },
    **dict.fromkeys("\u2002\u2009\u202f", " "),
  }
)


def mend() -> None:
  """Makes the standard streams usable, whatever they are.

  Those that are closed lead to nothing, and sys.stdin stays None. A write to
  standard output that fails raises UsageError, unless its reader has gone
  (BrokenPipeError); one to standard error, where nobody could be told, is
  dropped.
  """
  for number in range(3):
    try:
      os.fstat(number)
    except OSError:
      os.open(os.devnull, os.O_RDWR)  # takes the lowest free number
  sys.stdout = _writer(sys.stdout, _Output(1, "w", closefd=False))
  sys.stderr = _writer(sys.stderr, _Errors(2, "w", closefd=False))


def drop_output() -> None:
  """Lets go of standard output: what comes goes nowhere."""
  os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


class _Output(io.FileIO):
  def write(self, data: Any) -> int:
    try:
      return super().write(data)
    except BrokenPipeError:
      raise
    except OSError as error:
      drop_output()  # or Python's last flush would fail again
      raise UsageError(f"standard output: {error.strerror}") from error


class _Errors(io.FileIO):
  def write(self, data: Any) -> int:
    try:
      return super().write(data)
    except OSError:
      return len(data)


class _Terminal(io.TextIOWrapper):
  """Texts of anybody on a terminal, which would obey what they spell."""

  def write(self, text: str) -> int:
    super().write(printable(text.replace("\r\n", "\n")))
    return len(text)


def _replaced(error: UnicodeError) -> tuple[str | bytes, int]:
  """Writes characters that an encoding lacks in ASCII, or as escapes.

  Bytes of names that are not of the encoding are given back as they came.
  """
  if not isinstance(error, UnicodeEncodeError):
    raise error
  sign = error.object[error.start]
  wide = error.encoding.startswith(("utf-16", "utf-32"))
  if "\udc80" <= sign <= "\udcff" and not wide:
    return bytes([ord(sign) - 0xDC00]), error.start + 1
  text = sign.translate(_ASCII)
  if not text.isascii():
    text = sign.encode("ascii", "backslashreplace").decode()
  return text, error.start + 1


codecs.register_error(_ERRORS, _replaced)


def _writer(old: TextIO | None, raw: io.FileIO) -> TextIO:
  """A stream like the old one, with another way to write.

  What comes by standard output is raw but on a terminal. By standard error
  come bars of progress, which move the cursor.
  """
  errors = old.errors if old else "backslashreplace"
  cls = _Terminal if raw.isatty() and raw.fileno() == 1 else io.TextIOWrapper
  return cls(
    io.BufferedWriter(raw),
    encoding=old.encoding if old else "utf-8",
    errors=_ERRORS if errors in _DEFAULTS else errors,
    line_buffering=raw.isatty() or raw.fileno() == 2,
    write_through=bool(getattr(old, "write_through", False)),
  )
