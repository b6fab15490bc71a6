"""A program on a terminal of its own: a pseudo-terminal and real signals."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
# What colours and readline's modes are told with.
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")


# Makes its standard input the terminal that Ctrl-C comes from, then becomes the
# program. (A fork of a process with jax's threads could hang.)
_START = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.executable, [sys.executable, "launch.py", *sys.argv[1:]])
"""


class Terminal:
  """`python launch.py ...` as a user sees it.

  Attributes:
    seen: all that was shown so far.
  """

  def __init__(self, *arguments: str):
    self._file, terminal = pty.openpty()
    self._process = subprocess.Popen(
      [sys.executable, "-c", _START, *arguments],
      stdin=terminal,
      stdout=terminal,
      stderr=terminal,
      start_new_session=True,
      cwd=ROOT,
      env=os.environ | {"TERM": "dumb"},
    )
    os.close(terminal)
    self.seen = ""
    self._at = 0

  def send(self, text: str) -> None:
    """Types it."""
    os.write(self._file, text.encode())

  def send_bytes(self, data: bytes) -> None:
    os.write(self._file, data)

  def expect(self, text: str, seconds: float = 120) -> str:
    """Waits for a text; what was shown up to its end and not expected yet."""
    until = time.monotonic() + seconds
    while text not in self.seen[self._at :]:
      left = until - time.monotonic()
      if left < 0 or not self._read(left):
        raise AssertionError(f"no {text!r} in {self.seen[self._at :]!r}")
    end = self.seen.index(text, self._at) + len(text)
    found, self._at = self.seen[self._at : end], end
    return found

  def more(self, seconds: float) -> bool:
    """Is more shown than was expected yet?"""
    self._read(seconds)
    return len(self.seen) > self._at

  def interrupt(self) -> None:
    """Ctrl-C: the terminal makes SIGINT of it, for all of its processes."""
    self.send("\x03")

  def end(self, seconds: float = 60) -> int:
    """Waits for the exit code."""
    until = time.monotonic() + seconds
    while time.monotonic() < until and self._read(1.0):
      pass
    try:
      return self._process.wait(max(0.0, until - time.monotonic()))
    finally:
      self.close()

  def close(self) -> None:
    """Ends it, whatever it is doing."""
    if self._process.poll() is None:
      self._process.kill()
      self._process.wait()
    if self._file >= 0:
      os.close(self._file)
      self._file = -1

  def _read(self, seconds: float) -> bool:
    waits = select.poll()  # select() knows no file beyond the 1,024th.
    waits.register(self._file, select.POLLIN)
    ready = waits.poll(1000 * seconds)
    if not ready:
      return True
    try:
      data = os.read(self._file, 65536)
    except OSError:  # The program has closed it.
      return False
    text = data.decode(errors="replace").replace("\r\n", "\n")
    self.seen += _ESCAPES.sub("", text)
    return bool(data)
