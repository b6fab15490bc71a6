"""Lines from a user or from a script, and what Ctrl-C means."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from collections.abc import Iterator
from typing import Any

from lm_jax.support.errors import UsageError
from lm_jax.training import stuck

_PROMPT, _MORE = "> ", ". "
_BLOCK = '"""'


class Cancelled(KeyboardInterrupt):
  """Raised by Ctrl-C where nothing is being answered."""


class Interrupt:
  """Ctrl-C while it is entered: ends an answer, or a line that is written.

  While the model works, which raising would leave in any state, the signal is
  only noted; `asked` is looked at between two steps. Otherwise it raises
  Cancelled. Other signals are left as they are.
  """

  def __init__(self) -> None:
    self._answering = self._noted = False
    self._before: Any = None

  def __enter__(self) -> Interrupt:
    if threading.current_thread() is threading.main_thread():
      self._before = signal.signal(signal.SIGINT, self._note)
    return self

  def __exit__(self, *_: object) -> None:
    if self._before is not None:
      signal.signal(signal.SIGINT, self._before)

  @contextlib.contextmanager
  def answering(self) -> Iterator[None]:
    """Notes Ctrl-C, for as long as an answer is made."""
    self._noted, self._answering = False, True
    try:
      yield
    finally:
      self._answering = False

  def asked(self) -> bool:
    """Returns whether the answer must end."""
    return self._noted

  def _note(self, number: int, frame: Any) -> None:
    del number, frame
    stuck.answer()
    if not self._answering:
      raise Cancelled
    self._noted = True


class Lines:
  """Messages from standard input: lines, or several of them as one.

  A line that ends with a backslash goes on with the next one, and between
  two \"\"\" stand any number of lines. On a terminal lines can be edited, and
  called back, where there is a readline.

  Attributes:
    interactive: whether a user is there.
    number: of the last line that was read.
  """

  def __init__(self) -> None:
    self.interactive = sys.stdin is not None and sys.stdin.isatty()
    self.number = 0
    if self.interactive:
      with contextlib.suppress(ImportError):  # Windows has none.
        import readline  # noqa: F401

  def read(self) -> str | None:
    """Reads the next message; None if there are no more.

    Raises:
      UsageError: it is not UTF-8, or a block of lines does not end.
      Cancelled: the user gives it up.
    """
    line = self._line(_PROMPT)
    if line is None:
      return None
    if line.lstrip().startswith(_BLOCK):
      return self._block(line.lstrip().removeprefix(_BLOCK))
    lines = [line]
    while lines[-1].endswith("\\"):
      lines[-1] = lines[-1][:-1]
      more = self._line(_MORE)
      if more is None:
        break
      lines.append(more)
    return "\n".join(lines)

  def _block(self, line: str) -> str:
    lines = [line]
    while not lines[-1].rstrip().endswith(_BLOCK):
      more = self._line(_MORE)
      if more is None:
        raise UsageError(f"message: {_BLOCK} is not closed")
      lines.append(more)
    lines[-1] = lines[-1].rstrip().removesuffix(_BLOCK)
    return "\n".join(lines).strip("\n")

  def _line(self, prompt: str) -> str | None:
    self.number += 1
    try:
      if sys.stdin is None:  # closed: there are no messages
        return None
      if not self.interactive:
        data = sys.stdin.buffer.readline()
        if not data:
          return None
        text = data.decode().removesuffix("\n").removesuffix("\r")
        return text.removeprefix("\ufeff") if self.number == 1 else text
      if not sys.stdout.isatty():  # It would hold the prompts.
        print(prompt, end="", file=sys.stderr, flush=True)
        prompt = ""
      line = input(prompt)
      line.encode()
      return line
    except EOFError:
      return None
    except UnicodeError as error:
      raise UsageError(f"message: is not UTF-8: {error}") from None
