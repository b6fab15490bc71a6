"""Commands as processes of their own, without the seconds of their imports.

A server imports everything once, without touching a device, and forks for
each command; what is forked runs `cli.launch` as launch.py would.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import gc
import importlib
import json
import os
import pathlib
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from . import launching

_HEAVY = (
  *("flax.linen", "grain", "lm_jax.runs.run", "optax", "orbax.checkpoint"),
  *("sklearn.linear_model", "tensorboardX", "tensorflow_datasets"),
  *("tokenizers", "lm_jax.commands.train"),
)


class Run:
  """A command that was started; `code` once it has ended."""

  def __init__(self, pid: int, output: pathlib.Path):
    self.pid, self._output = pid, output
    self.begin = time.monotonic()
    self.sent = 0

  def age(self) -> float:
    """Seconds since it was started."""
    return time.monotonic() - self.begin

  @property
  def code(self) -> int | None:
    """As subprocess has it: negative is a signal's number."""
    _server().listen(0)
    return _server().codes.get(self.pid)

  @property
  def output(self) -> str:
    """What it wrote to stdout and stderr, in one."""
    return self._output.read_text(encoding="utf-8", errors="replace")

  def why(self) -> str:
    """What went wrong first, as far as one can tell."""
    found = re.findall(
      r"^(?:\w+\.)*\w+(?:Error|Exception):.*", self.output, re.M
    )
    return f"{found[:1]} {self.output[-300:]}"

  def errors(self) -> list[str]:
    """The lines that are ours, for the user."""
    lines = self.output.splitlines()
    return [line for line in lines if line.startswith("lm_jax: ")]

  def send(self, number: int) -> None:
    self.sent += 1
    with contextlib.suppress(ProcessLookupError):
      os.kill(self.pid, number)

  def goes_on(
    self, while_true: Callable[[], bool], every: float = 0.002
  ) -> bool:
    """Waits for as long as that holds; whether the command still runs."""
    while self.code is None and while_true():
      _server().listen(every)
    return self.code is None

  def wait(self, timeout: float = 120) -> int | None:
    """The exit code; kills what takes too long."""
    deadline = time.monotonic() + timeout
    if self.goes_on(lambda: time.monotonic() < deadline, 0.05):
      self.send(signal.SIGKILL)
      raise AssertionError(f"took over {timeout} s: {self.why()}")
    return self.code

  def until(self, seen: Callable[[], bool], timeout: float = 60) -> None:
    """Waits until that holds, or until the command has ended."""
    deadline = time.monotonic() + timeout
    self.goes_on(lambda: not seen() and time.monotonic() < deadline, 0.01)
    assert seen() or self.code is not None, f"not yet: {self.output[-500:]}"


def start(command: Sequence[str], folder: pathlib.Path, **env: str) -> Run:
  """Starts `launch.py ARGUMENTS`, as launching.train_command gives it.

  folder: what it says is written to a file there.
  env: more variables.
  """
  return _server().start(command, folder, env)


def finish(
  command: Sequence[str], folder: pathlib.Path, code: int = 0, **env: str
) -> Run:
  """Runs a command to its end, which must have the exit code."""
  run = start(command, folder, **env)
  found = run.wait()
  assert found == code, f"exit code {found}, not {code}: {run.why()}"
  return run


def kill_all() -> None:
  """Kills what still runs."""
  if _server.cache_info().currsize:
    _server().kill_all()


@functools.cache
def _server() -> _Server:
  """The server of this process, until its end."""
  return _Server()


class _Server:
  def __init__(self) -> None:
    self._process = subprocess.Popen(
      [sys.executable, "-m", "tests.faults.forking"],
      cwd=launching.ROOT,
      env=launching.environment(),
      stdin=subprocess.PIPE,
      stdout=subprocess.PIPE,
    )
    atexit.register(self._close)
    self._unread = b""
    self.codes: dict[int, int] = {}
    self._pids: list[int] = []

  def _close(self) -> None:
    self.kill_all()
    self._process.communicate()

  def kill_all(self) -> None:
    self.listen(0)
    for pid in self._pids:
      if pid not in self.codes:
        with contextlib.suppress(ProcessLookupError):
          os.kill(pid, signal.SIGKILL)

  def start(
    self, command: Sequence[str], folder: pathlib.Path, env: dict[str, str]
  ) -> Run:
    place = list(command).index("launch.py") + 1
    count = len(self._pids)
    output = folder / f"output-{count}.txt"
    request = {"argv": list(command[place:]), "output": str(output), "env": env}
    assert self._process.stdin is not None
    self._process.stdin.write(json.dumps(request).encode() + b"\n")
    self._process.stdin.flush()
    while len(self._pids) == count:
      assert self._process.poll() is None, "the server has died"
      self.listen(0.5)
    return Run(self._pids[-1], output)

  def listen(self, seconds: float) -> None:
    """Takes in what the server has to say, for so long at most."""
    assert self._process.stdout is not None
    stream = self._process.stdout.fileno()
    if not select.select([stream], [], [], seconds)[0]:
      return
    # A buffer would hide a second line from select.
    *lines, self._unread = (self._unread + os.read(stream, 65536)).split(b"\n")
    for line in lines:
      said = json.loads(line)
      if "code" in said:
        self.codes[said["pid"]] = said["code"]
      else:
        self._pids.append(said["pid"])


def _serve() -> None:
  from lm_jax.support import registry

  tasks = [f"lm_jax.tasks.{name}" for name in registry.names("lm_jax.tasks")]
  for name in (*_HEAVY, *tasks):
    importlib.import_module(name)
  gc.freeze()  # Else a collection copies all of it in every child.
  read, write = os.pipe()
  os.set_blocking(write, False)
  signal.set_wakeup_fd(write, warn_on_full_buffer=False)
  signal.signal(signal.SIGCHLD, lambda *_: None)
  for request in _requests(read):
    pid = os.fork()
    if not pid:
      signal.set_wakeup_fd(-1)
      signal.signal(signal.SIGCHLD, signal.SIG_DFL)
      _become(json.loads(request))
    print(json.dumps({"pid": pid}), flush=True)


def _requests(wakeup: int) -> Iterator[str]:
  """Lines of stdin; in between, tells which children have ended."""
  while True:
    ready, _, _ = select.select([0, wakeup], [], [])
    if wakeup in ready:
      os.read(wakeup, 4096)
    with contextlib.suppress(ChildProcessError):
      while True:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if not pid:
          break
        code = os.waitstatus_to_exitcode(status)
        print(json.dumps({"pid": pid, "code": code}), flush=True)
    if 0 in ready:
      line = b""
      while not line.endswith(b"\n"):
        part = os.read(0, 1)  # A buffer would hide lines from select.
        if not part:
          return
        line += part
      yield line.decode()


def _become(request: dict[str, Any]) -> None:
  """Goes on as the command, in this process, and ends with it."""
  os.setsid()
  os.environ.update(request["env"])
  output = os.open(
    request["output"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND
  )
  for stream in (1, 2):
    os.dup2(output, stream)
  os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
  from lm_jax import cli

  cli.launch(request["argv"])


if __name__ == "__main__":
  _serve()
