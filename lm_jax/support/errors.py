"""Errors that the user can mend; no heavy imports."""

from __future__ import annotations

import contextlib
import reprlib
from collections.abc import Iterator

from lm_jax.support import printable

_MOST, _HEAD = 2000, 1300  # characters of a message


class UsageError(ValueError):
  """Bad input: the message is for the user, and the exit code is 2.

  The message is one line that every terminal shows, whatever it quotes from a
  file: line ends, escape sequences and halves of surrogate pairs are written
  as escapes, and the middle of a very long one is left out.
  """

  def __init__(self, message: object = ""):
    super().__init__(_one_line(str(message)))


@contextlib.contextmanager
def about(what: object) -> Iterator[None]:
  """Begins the message of a UsageError of its block by what it is about.

  A reader of a file or the check of a flag says what is wrong; whoever knows
  the flag and the place, or the line, adds it: `with about(f"--model={path}"):`
  """
  try:
    yield
  except UsageError as error:
    error.args = UsageError(f"{what}: {error}").args
    raise


@contextlib.contextmanager
def advising(hint: str) -> Iterator[None]:
  """Ends the message of a UsageError of its block by what to do about it."""
  try:
    yield
  except UsageError as error:
    error.args = UsageError(f"{error}; {hint}").args
    raise


def causes(error: BaseException | None) -> Iterator[BaseException]:
  """Yields an error, what it came of, what that came of, and so on."""
  while error is not None:
    yield error
    error = error.__cause__ or error.__context__


def require_text(path: object, what: str) -> None:
  """Raises UsageError where a path is no text that libraries could take.

  Python stands in for bytes that the locale can't read by halves of surrogate
  pairs, which nothing else takes.
  """
  try:
    str(path).encode()
  except UnicodeEncodeError:
    raise UsageError(
      f"{what}: {path} is no text in this locale; where it is UTF-8, "
      "LC_ALL=C.UTF-8 or PYTHONUTF8=1 helps, else name another directory"
    ) from None


def short(value: object, most: int = 80) -> str:
  """A value that a file holds, for a message; however large or deep it is."""
  form = reprlib.Repr()
  form.maxlevel = 3
  form.maxstring = form.maxother = most
  text = form.repr(value)
  return text if len(text) <= most else f"{text[: most - 3]}..."


def _one_line(text: str) -> str:
  text = _cut(text)  # Before the escapes, which take time and room.
  return _cut(printable.escaped(text))


def _cut(text: str) -> str:
  """The ends of a long text: what is wrong, and what would be valid."""
  if len(text) <= _MOST:
    return text
  return f"{text[:_HEAD]} ... {text[_HEAD + 5 - _MOST :]}"
