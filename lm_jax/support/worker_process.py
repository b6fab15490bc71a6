"""Runs worker processes that answer questions and end with their parent.

A worker runs a module as `python -m` does. It reads questions from standard
input, a line of JSON each, and writes answers to standard output: a length,
then bytes. Nothing is pickled, shared or left in /dev/shm, and a death on
either side ends the pipe.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import queue
import signal
import struct
import subprocess
import sys
from collections.abc import Callable
from typing import Any

from lm_jax.support.errors import UsageError

_LENGTH = struct.Struct("<q")
_PR_SET_PDEATHSIG = 1  # linux/prctl.h
# The first line that a worker gets is the parent's sys.path.
_START = """
import json, runpy, sys
sys.path[:] = json.loads(sys.stdin.buffer.readline())
sys.argv[:] = sys.argv[1:]
runpy.run_module(sys.argv[0], run_name="__main__")
"""
# A batch scheduler sends these to every process of a job, and a terminal its
# own to a group. What to do about them is for the parent to say.
_IGNORED = (
  *(signal.SIGINT, signal.SIGTERM, signal.SIGHUP),
  *(signal.SIGUSR1, signal.SIGUSR2, signal.SIGXCPU),
)


class WorkerDied(RuntimeError):
  """Signals that a worker process has ended, though nobody asked it to."""


class Worker:
  """A process that runs a module's `serve`; create it in the main thread.

  (On Linux a worker dies with the thread that started it.)

  Args:
    module: name of the module; its `__main__` calls `serve`.
    purpose: names the process in messages, such as "a reader process".
    setup: the JSON value that `make` of `serve` gets.
  """

  def __init__(self, module: str, purpose: str, setup: Any):
    self._purpose = purpose
    environment = os.environ | {
      # The parent has as many workers as there are cores to use.
      "TOKENIZERS_PARALLELISM": "false",
      "OMP_NUM_THREADS": "1",
      "OPENBLAS_NUM_THREADS": "1",
    }
    # From its first instant on: it inherits the blocked signals.
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, _IGNORED)
    try:
      process = subprocess.Popen(
        [sys.executable, "-P", "-c", _START, module, str(os.getpid())],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment,
      )
    finally:
      signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    assert process.stdin is not None and process.stdout is not None
    self._process = process
    self._questions, self._answers = process.stdin, process.stdout
    # It must find the same modules as this process.
    self._send(list(map(str, sys.path)))
    self._send(setup)

  @property
  def pid(self) -> int:
    return self._process.pid

  def ask(self, question: Any) -> bytes:
    """Sends a question, a JSON value, and returns the answer.

    Raises:
      WorkerDied: it was killed, or ended by a bug that it printed.
      OSError, UsageError: errors that the worker ran into.
    """
    self._send(question)
    (length,) = _LENGTH.unpack(self._read(_LENGTH.size))
    if length >= 0:
      return self._read(length)
    number, text = json.loads(self._read(-length))
    raise UsageError(text) if number is None else OSError(number, text)

  def check(self) -> None:
    """Raises WorkerDied unless the process is alive."""
    if self._process.poll() is not None:
      raise self._died()

  def close(self) -> None:
    """Ends the process, whatever it is doing."""
    self._process.kill()
    self._process.wait()
    for pipe in (self._questions, self._answers):
      # What was not written yet is of no use to anyone.
      with contextlib.suppress(BrokenPipeError):
        pipe.close()

  def _send(self, value: Any) -> None:
    try:
      self._questions.write(json.dumps(value).encode() + b"\n")
      self._questions.flush()
    except BrokenPipeError:
      raise self._died() from None

  def _read(self, count: int) -> bytes:
    data = self._answers.read(count)
    if len(data) < count:
      raise self._died()
    return data

  def _died(self) -> WorkerDied:
    code = self._process.wait()
    how = f"ended with exit code {code}"
    if code < 0:
      how = f"was killed by {signal.Signals(-code).name}"
    return WorkerDied(f"{self._purpose}, {self._process.pid}, {how}")


class WorkerPool:
  """Workers that do the same; an idle one answers.

  The arguments are those of Worker, and the number of workers.
  """

  def __init__(self, module: str, purpose: str, setup: Any, count: int):
    self._workers: list[Worker] = []
    self._idle: queue.SimpleQueue[Worker] = queue.SimpleQueue()
    for _ in range(count):
      worker = Worker(module, purpose, setup)
      self._workers.append(worker)
      self._idle.put(worker)

  @property
  def pids(self) -> list[int]:
    return [worker.pid for worker in self._workers]

  def ask(self, question: Any) -> bytes:
    """Sends a question; any number of threads may, and wait in turn."""
    worker = self._idle.get()
    try:
      return worker.ask(question)
    finally:
      self._idle.put(worker)

  def check(self) -> None:
    """Raises WorkerDied unless all workers are alive."""
    for worker in self._workers:
      worker.check()

  def close(self) -> None:
    """Ends all workers; questions still being asked fail with an error."""
    for worker in self._workers:
      worker.close()


def serve(make: Callable[[Any], Callable[[Any], bytes]]) -> None:
  """Runs in a worker: answers questions until there are no more.

  `make` takes the setup and returns the function that answers.
  """
  _die_with_parent(int(sys.argv[1]))
  # Nothing that is printed may get among the answers.
  answers = os.fdopen(os.dup(1), "wb")
  os.dup2(2, 1)
  questions = sys.stdin.buffer
  setup = questions.readline()
  if not setup:
    return
  answer = make(json.loads(setup))
  while line := questions.readline():
    try:
      data = answer(json.loads(line))
      length = len(data)
    except (OSError, UsageError) as error:
      failure = getattr(error, "errno", None), str(error)
      data = json.dumps(failure).encode()
      length = -len(data)
    answers.write(_LENGTH.pack(length))
    answers.write(data)
    answers.flush()


def _die_with_parent(parent: int) -> None:
  """Asks Linux for a SIGKILL when the parent dies; elsewhere the pipe ends."""
  if sys.platform == "linux":
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    if prctl(_PR_SET_PDEATHSIG, signal.SIGKILL):
      raise OSError(ctypes.get_errno(), "prctl")
  if os.getppid() != parent:  # It died before that.
    os._exit(1)
