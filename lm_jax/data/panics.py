"""Drops what a Rust library writes to standard error before it panics.

A panic also raises an exception, which says the same in one line; the hook
that writes the backtrace can't be reached from Python.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import threading
from collections.abc import Iterator

_ERR = 2  # the descriptor of standard error
_lock = threading.Lock()


class _Held:
  """Holds back standard error while some thread is inside the library."""

  def __init__(self) -> None:
    self.inside = 0  # threads
    self.panicked = False
    self.file = -1
    self.own = -1  # a duplicate of the real standard error

  def enter(self) -> None:
    self.inside += 1
    if self.inside > 1:
      return
    try:
      self.own = os.dup(_ERR)
    except OSError:  # it is closed
      self.own = -1
      return
    if self.file < 0:
      self.file, name = tempfile.mkstemp()
      os.unlink(name)
    os.dup2(self.file, _ERR)

  def leave(self, panicked: bool) -> None:
    self.inside -= 1
    self.panicked = self.panicked or panicked
    if self.inside or self.own < 0:
      return
    os.dup2(self.own, _ERR)
    size = os.lseek(self.file, 0, os.SEEK_END)
    if size:
      text = os.pread(self.file, size, 0)
      os.ftruncate(self.file, 0)
      os.lseek(self.file, 0, os.SEEK_SET)
      if not self.panicked:  # What others wrote meanwhile.
        os.write(self.own, text)
    os.close(self.own)
    self.own, self.panicked = -1, False


_held = _Held()


def _begin_anew() -> None:
  """Resets the state in a forked child: threads that were inside are gone.

  So are those that held the lock.
  """
  global _held, _lock
  if _held.own >= 0:
    os.dup2(_held.own, _ERR)
  _held, _lock = _Held(), threading.Lock()


os.register_at_fork(after_in_child=_begin_anew)


def is_panic(error: BaseException) -> bool:
  """Returns whether an error is a Rust panic; its class can't be imported."""
  return type(error).__name__ == "PanicException"


@contextlib.contextmanager
def silence_panics() -> Iterator[None]:
  """Keeps a panic inside this context from writing to standard error.

  Anything else written to standard error meanwhile appears a little later.
  """
  with _lock:
    _held.enter()
  panicked = False
  try:
    yield
  except BaseException as error:
    panicked = is_panic(error)
    raise
  finally:
    with _lock:
      _held.leave(panicked)
