"""Runs unreviewed programs, each in a confined process."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import secrets
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from lm_jax.support.errors import UsageError

SECONDS = 5.0  # of wall time, for a program
MEMORY = 512 * 2**20  # bytes of address space
_START = 10.0  # seconds until a process must be ready
_MOST = 4096  # bytes that it may write
_CHILD = pathlib.Path(__file__).with_name("sandbox_child.py")


class Outcome(NamedTuple):
  """Result of a program.

  passed: it ran to its end.
  reason: "passed", or what happened instead.
  confined: the means, "seccomp" or "seccomp, network namespace"; "" if the
    program was not run, because its process could not be confined.
  """

  passed: bool
  reason: str
  confined: str


def confinement() -> str:
  """Returns the means of confinement on this machine.

  Raises:
    UsageError: there is none, so no program may be run.
  """
  outcome = run("")
  if not outcome.confined or not outcome.passed:
    raise UsageError(
      "--run_generated_code: this machine can't shut a program in (it needs"
      f" Linux with seccomp): {outcome.reason}"
    )
  return outcome.confined


def run_all(programs: Sequence[str], seconds: float = SECONDS) -> list[Outcome]:
  """Runs several programs, as many at a time as there are cores."""
  with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
    return list(pool.map(lambda program: run(program, seconds), programs))


def run(
  program: str, seconds: float = SECONDS, memory: int = MEMORY
) -> Outcome:
  """Runs a Python program with the standard library, confined.

  It has no environment, no input and no output, an empty directory that is
  removed, and what lm_jax/sandbox/sandbox_child.py allows. When its time is
  over its process group is killed.

  Args:
    program: its text; it passes if it runs to its end.
    seconds: of wall time; CPU time is limited, too.
    memory: bytes of address space.
  """
  # Everybody may see the word; only the token says that the program passed.
  word, token = secrets.token_hex(16), secrets.token_hex(16)
  question = {
    "program": program,
    "word": word,
    "token": token,
    "parent": os.getpid(),
    "seconds": int(seconds) + 1,
    "memory": memory,
  }
  with (
    tempfile.TemporaryDirectory(prefix="lm_jax-") as place,
    _process(place) as process,
  ):
    assert process.stdin is not None and process.stdout is not None
    with contextlib.suppress(BrokenPipeError):  # its exit code says why
      process.stdin.write(json.dumps(question).encode())
      process.stdin.close()
    reader = _LineReader(process.stdout.fileno(), (word, token))
    confined = reader.line(time.monotonic() + _START) or ""
    confined = confined.removeprefix(f"{word} ")
    if not confined.startswith("shut in by "):
      code = _end(process)
      why = confined or _how(code)
      return Outcome(False, f"it was not run: {why}", "")
    confined = confined.removeprefix("shut in by ")
    ended = reader.line(time.monotonic() + seconds)
    code = _end(process)
    if ended == f"{token} passed":
      return Outcome(True, "passed", confined)
    if ended is None:
      reason = f"took more than {seconds:g} seconds"
    elif not ended:
      reason = _how(code)
    else:
      reason = ended.removeprefix(f"{word} ").removeprefix("failed: ")
    return Outcome(False, f"failed: {reason}", confined)


@contextlib.contextmanager
def _process(place: str) -> Iterator[subprocess.Popen]:
  """Starts `sandbox_child.py` in a new process group and ends it."""
  process = subprocess.Popen(
    [sys.executable, "-I", "-S", "-B", str(_CHILD)],
    stdin=subprocess.PIPE,
    stdout=subprocess.PIPE,
    stderr=subprocess.DEVNULL,
    cwd=place,
    env={},
    start_new_session=True,
  )
  try:
    yield process
  finally:
    _end(process)
    for pipe in (process.stdin, process.stdout):
      if pipe is not None:
        with contextlib.suppress(BrokenPipeError):
          pipe.close()


def _end(process: subprocess.Popen) -> int:
  """Kills the process group, if it still exists; returns the exit code."""
  with contextlib.suppress(ProcessLookupError):
    os.killpg(process.pid, signal.SIGKILL)
  return process.wait()


def _how(code: int) -> str:
  """Describes the end of a process that did not report it."""
  if code < 0:
    return f"was killed by {signal.Signals(-code).name}"
  return f"ended by itself with exit code {code}"


class _LineReader:
  """Reads lines that begin with a token from a pipe; at most _MOST bytes."""

  def __init__(self, number: int, tokens: Sequence[str]):
    self._number = number
    self._tokens = tuple(f"{token} ".encode() for token in tokens)
    self._held = b""
    self._read = 0
    # select() knows no file beyond the 1,024th.
    self._waits = select.poll()
    self._waits.register(number, select.POLLIN)

  def line(self, deadline: float) -> str | None:
    """Returns the next line; "" if there is none; None if it is too late."""
    while True:
      line, end, rest = self._held.partition(b"\n")
      if end:
        self._held = rest
        if line.startswith(self._tokens):
          return line.decode(errors="replace")
        continue
      if self._read >= _MOST:
        return ""
      left = deadline - time.monotonic()
      if left <= 0 or not self._waits.poll(1000 * left):
        return None
      data = os.read(self._number, _MOST)
      if not data:
        return ""
      self._read += len(data)
      self._held += data
