"""Ends a process whose main thread does not react to signals.

Python handles a signal only when its main thread runs Python code; if a library
waits in C for ever, only SIGKILL would end the process.
"""

from __future__ import annotations

import math
import os
import signal
import threading
import time

# Seconds after which a second TERM or INT ends a process that has not handled
# the first. Schedulers send several at once, and a step may take a while.
PATIENCE = 5.0
_SLACK = 1.0  # seconds between a signal's arrival and its notice here
_NUMBERS = (signal.SIGTERM, signal.SIGINT)

_answered = -math.inf  # the clock when Python last handled a signal


def answer() -> None:
  """Records that a signal was handled; every handler must call it."""
  global _answered
  _answered = time.monotonic()


class Watch:
  """Ends a stuck process at the second signal, within the context.

  It works in the main thread only.
  """

  def __enter__(self) -> Watch:
    self._thread: threading.Thread | None = None
    if threading.current_thread() is not threading.main_thread():
      return self
    read, self._write = os.pipe()
    os.set_blocking(self._write, False)
    self._before = signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
    self._thread = threading.Thread(target=_watch, args=[read], daemon=True)
    self._thread.start()
    return self

  def __exit__(self, *_: object) -> None:
    if self._thread is not None:
      signal.set_wakeup_fd(self._before)
      os.close(self._write)  # which ends the thread
      self._thread.join()


def _watch(read: int) -> None:
  first = None
  while numbers := os.read(read, 64):
    for number in numbers:
      if number not in _NUMBERS:
        continue
      now = time.monotonic()
      if first is None or _answered > first - _SLACK:
        first = now
      elif now - first > PATIENCE:
        name = signal.Signals(number).name
        line = f"lm_jax: ended by a second {name}: it did not answer the first"
        os.write(
          2, f"{line}; the same command goes on from what is saved\n".encode()
        )
        os._exit(128 + number)
  os.close(read)
