"""Notes signals, which a loop reads between two steps."""

from __future__ import annotations

import os
import signal
import threading
import time
from types import FrameType
from typing import Any, Self

from lm_jax.support.errors import causes
from lm_jax.training import stuck

# Seconds between checks for a running import, and until giving up.
_AGAIN, _PATIENCE = 0.02, 1.0


class Interruption:
  """Notes TERM, INT, HUP, USR1, USR2 and XCPU in `noted`; a second INT aborts.

  It works only within the context. A nested one replaces the outer one, and
  they share what is noted. Signals reach the main thread; in another thread it
  shares what is noted there. HUP is left alone if it is
  ignored (`nohup`).

  Args:
    raises: the first signal also raises KeyboardInterrupt, if nothing has to be
      saved. It waits while a module is imported: raised in the initialization
      of a C extension, it becomes an ImportError or aborts. A longer import
      ends with the process.
  """

  SIGNALS = (
    *(signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGUSR2),
    signal.SIGHUP,  # the terminal is gone, or ssh
    signal.SIGXCPU,  # a batch system's limit of time comes near
  )

  def __init__(self, raises: bool = False) -> None:
    self._noted = False
    self._raises = raises
    self._before: dict[int, Any] = {}
    self._outer: Interruption | None = None
    self._deadline = 0.0

  @property
  def noted(self) -> bool:
    return self._noted or (self._outer is not None and self._outer.noted)

  def __enter__(self) -> Self:
    if threading.current_thread() is threading.main_thread():
      for number in self.SIGNALS:
        before = signal.getsignal(number)
        if number == signal.SIGHUP and before == signal.SIG_IGN:
          continue
        self._before[number] = signal.signal(number, self._note)
        outer = getattr(before, "__self__", None)
        if isinstance(outer, Interruption):
          self._outer = outer
    else:
      outer = getattr(signal.getsignal(signal.SIGTERM), "__self__", None)
      self._outer = outer if isinstance(outer, Interruption) else None
    return self

  def __exit__(self, *_: object) -> None:
    if self._outer is not None:
      self._outer._noted |= self._noted
    for number, handler in self._before.items():
      signal.signal(number, handler)

  def ignore(self) -> None:
    """Ignores all signals from now on: the process ends as planned."""
    for number in self._before:
      self._before[number] = signal.SIG_IGN
      signal.signal(number, signal.SIG_IGN)

  def _note(self, number: int, frame: FrameType | None) -> None:
    first, self._noted = not (self._noted or self.noted), True
    stuck.answer()
    if first and self._raises:
      self._deadline = time.monotonic() + _PATIENCE
      self._raise(frame)
    elif not first and number == signal.SIGINT:
      self._deadline = 0
      self._raise(frame)

  def _raise(self, frame: FrameType | None) -> None:
    """Raises KeyboardInterrupt as soon as no module is being imported."""
    if not _importing(frame):
      raise KeyboardInterrupt
    if time.monotonic() > self._deadline:
      os.write(2, b"lm_jax: interrupted\n")
      os._exit(75)

    def again(number: int, frame: FrameType | None) -> None:
      signal.signal(signal.SIGALRM, before)
      # A nested one that was entered meanwhile has noted it.
      if signal.getsignal(signal.SIGTERM) == self._note:
        self._raise(frame)

    before = signal.signal(signal.SIGALRM, again)
    signal.setitimer(signal.ITIMER_REAL, _AGAIN)


def caused(error: BaseException) -> bool:
  """Returns whether an interruption caused an error of a library."""
  return any(type(each) is KeyboardInterrupt for each in causes(error))


def _importing(frame: FrameType | None) -> bool:
  """Returns whether the main thread is importing a module."""
  while frame is not None:
    if frame.f_code.co_filename.startswith("<frozen importlib"):
      return True
    frame = frame.f_back
  return False
