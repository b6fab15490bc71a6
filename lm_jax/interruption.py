"""Signals, noted for a loop to read between two steps."""

from __future__ import annotations

import signal
import threading
from typing import Any


class Interruption:
  """Notes TERM, INT, USR1 and USR2 in `noted`; a second INT aborts.

  Within the context only, and in the main thread only.
  """

  SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGUSR2)

  def __init__(self) -> None:
    self.noted = False
    self._before: dict[int, Any] = {}

  def __enter__(self) -> Interruption:
    if threading.current_thread() is threading.main_thread():
      for number in self.SIGNALS:
        self._before[number] = signal.signal(number, self._note)
    return self

  def __exit__(self, *_: object) -> None:
    for number, handler in self._before.items():
      signal.signal(number, handler)

  def _note(self, number: int, frame: Any) -> None:
    if self.noted and number == signal.SIGINT:
      raise KeyboardInterrupt
    self.noted = True
