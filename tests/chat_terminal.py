"""A program on a terminal of its own: a pseudo-terminal and real signals."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
# What colours and readline's modes are told with.
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")


class Terminal:
  """`python launch.py ...` as a user sees it.

  Attributes:
    seen: all that was shown so far.
  """

  def __init__(self, *arguments: str, **environment: str):
    self.pid, self._file = pty.fork()
    if not self.pid:
      try:
        os.chdir(ROOT)
        os.environ.update({"TERM": "dumb", **environment})
        os.execv(sys.executable, [sys.executable, "launch.py", *arguments])
      finally:
        os._exit(127)
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

  def interrupt(self) -> float:
    """Ctrl-C, as the terminal sends it; the time."""
    os.kill(self.pid, signal.SIGINT)
    return time.monotonic()

  def end(self, seconds: float = 60) -> int:
    """Waits for the exit code."""
    until = time.monotonic() + seconds
    while time.monotonic() < until and self._read(1.0):
      pass
    _, status = os.waitpid(self.pid, 0)
    os.close(self._file)
    return os.waitstatus_to_exitcode(status)

  def _read(self, seconds: float) -> bool:
    ready, _, _ = select.select([self._file], [], [], seconds)
    if not ready:
      return True
    try:
      data = os.read(self._file, 65536)
    except OSError:  # The program has closed it.
      return False
    text = data.decode(errors="replace").replace("\r\n", "\n")
    self.seen += _ESCAPES.sub("", text)
    return bool(data)
