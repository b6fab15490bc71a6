"""Signals, noted for a loop to read between two steps."""

from __future__ import annotations

import signal
import threading
from typing import Any


class Interruption:
  """Notes TERM, INT, USR1 and USR2 in `noted`; a second INT aborts.

  Within the context only, and in the main thread only. One within another
  takes its place, and each knows what the other has noted.

  Args:
    raises: the first signal also raises KeyboardInterrupt, which is for where
      nothing has to be saved.
  """

  SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGUSR2)

  def __init__(self, raises: bool = False) -> None:
    self.noted = False
    self._raises = raises
    self._before: dict[int, Any] = {}
    self._outer: Interruption | None = None

  def __enter__(self) -> Interruption:
    if threading.current_thread() is threading.main_thread():
      for number in self.SIGNALS:
        self._before[number] = signal.signal(number, self._note)
        outer = getattr(self._before[number], "__self__", None)
        if isinstance(outer, Interruption):
          self._outer = outer
      if self._outer is not None:
        self.noted |= self._outer.noted
    return self

  def __exit__(self, *_: object) -> None:
    if self._outer is not None:
      self._outer.noted |= self.noted
    for number, handler in self._before.items():
      signal.signal(number, handler)

  def ignore(self) -> None:
    """From here on the process ends as it was going to, whatever comes."""
    for number in self._before:
      self._before[number] = signal.SIG_IGN
      signal.signal(number, signal.SIG_IGN)

  def _note(self, number: int, frame: Any) -> None:
    first, self.noted = not self.noted, True
    if self._raises if first else number == signal.SIGINT:
      raise KeyboardInterrupt
