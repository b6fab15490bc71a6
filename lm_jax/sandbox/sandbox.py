"""Runs programs that nobody has read, each in a process that is shut in."""

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

SECONDS = 5.0  # of the clock, for a program
MEMORY = 512 * 2**20  # bytes of address space
_START = 10.0  # seconds until a process must be ready
_MOST = 4096  # bytes that it may say
_CHILD = pathlib.Path(__file__).with_name("sandbox_child.py")


class Outcome(NamedTuple):
  """How a program ended.

  passed: it ran to its end.
  reason: "passed", or what happened in its place.
  confined: by what: "seccomp", "seccomp, network namespace"; "" of a program
    that was not run, since its process could not be shut in.
  """

  passed: bool
  reason: str
  confined: str


def confinement() -> str:
  """What shuts programs in on this machine.

  Raises:
    UsageError: nothing does, so that none may be run.
  """
  found = run("")
  if not found.confined or not found.passed:
    raise UsageError(
      "--run_generated_code: this machine can't shut a program in (it needs"
      f" Linux with seccomp): {found.reason}"
    )
  return found.confined


def run_all(
  programs: Sequence[str], seconds: float = SECONDS, workers: int = 0
) -> list[Outcome]:
  """As `run`, as many at a time as there are cores unless told otherwise."""
  with ThreadPoolExecutor(workers or os.cpu_count() or 1) as pool:
    return list(pool.map(lambda program: run(program, seconds), programs))


def run(
  program: str, seconds: float = SECONDS, memory: int = MEMORY
) -> Outcome:
  """Runs a Python program with the standard library, shut in.

  It has no environment, no input and no output, an empty directory of its
  own that is removed, and what lm_jax/sandbox/sandbox_child.py leaves it. When
  its time is over its process group is killed.

  Args:
    program: its text; that it passed is that it runs to its end.
    seconds: of the clock; CPU time is limited, too.
    memory: bytes of address space.
  """
  # The word is for all to see; that it passed is said by the token alone.
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
    with contextlib.suppress(BrokenPipeError):  # told by how it ended
      process.stdin.write(json.dumps(question).encode())
      process.stdin.close()
    said = _Said(process.stdout.fileno(), (word, token))
    confined = said.line(time.monotonic() + _START) or ""
    confined = confined.removeprefix(f"{word} ")
    if not confined.startswith("shut in by "):
      code = _end(process)
      why = confined or _how(code)
      return Outcome(False, f"it was not run: {why}", "")
    confined = confined.removeprefix("shut in by ")
    ended = said.line(time.monotonic() + seconds)
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
  """Starts `sandbox_child.py` in a process group of its own and ends it."""
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
  """Kills the process group, if it is still there; the exit code."""
  with contextlib.suppress(ProcessLookupError):
    os.killpg(process.pid, signal.SIGKILL)
  return process.wait()


def _how(code: int) -> str:
  """How a process ended that did not say so."""
  if code < 0:
    return f"was killed by {signal.Signals(-code).name}"
  return f"ended by itself with exit code {code}"


class _Said:
  """Lines that begin with a token, from a pipe; at most _MOST bytes in all."""

  def __init__(self, number: int, tokens: Sequence[str]):
    self._number = number
    self._tokens = tuple(f"{token} ".encode() for token in tokens)
    self._held = b""
    self._read = 0

  def line(self, deadline: float) -> str | None:
    """The next line; "" if there is none; None: too late."""
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
      if left <= 0 or not select.select([self._number], [], [], left)[0]:
        return None
      data = os.read(self._number, _MOST)
      if not data:
        return ""
      self._read += len(data)
      self._held += data
