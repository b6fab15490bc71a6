"""Commands as processes of their own, without the seconds of their imports.

A server imports everything once, without touching a device, and forks for
each command; what is forked runs `cli.launch` as launch.py would.
"""

from __future__ import annotations

import contextlib
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
  *("sklearn.linear_model", "tensorboardX", "tokenizers"),
)


class Run:
  """A command that was started; `code` once it has ended."""

  def __init__(self, server: Server, pid: int, output: pathlib.Path):
    self._server, self.pid, self._output = server, pid, output
    self.begin = time.monotonic()
    self.sent = 0

  def age(self) -> float:
    """Seconds since it was started."""
    return time.monotonic() - self.begin

  @property
  def code(self) -> int | None:
    """As subprocess has it: negative is a signal's number."""
    self._server.listen(0)
    return self._server.codes.get(self.pid)

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

  def goes_on(self, while_true: Callable[[], bool]) -> bool:
    """Waits for as long as that holds; whether the command still runs."""
    while self.code is None and while_true():
      self._server.listen(0.002)
    return self.code is None

  def wait(self, timeout: float = 120) -> int:
    """The exit code; kills what takes too long."""
    deadline = time.monotonic() + timeout
    while (code := self.code) is None:
      if time.monotonic() > deadline:
        self.send(signal.SIGKILL)
        raise AssertionError(f"took over {timeout} s: {self.why()}")
      self._server.listen(0.05)
    return code

  def until(self, path: pathlib.Path, timeout: float = 60) -> None:
    """Waits for a file, or until the command has ended."""
    deadline = time.monotonic() + timeout
    while not path.exists() and self.code is None:
      assert time.monotonic() < deadline, f"no {path}: {self.output[-500:]}"
      time.sleep(0.002)


class Server:
  """Starts commands; what still runs when it is closed is killed.

  Args:
    extra: folders with more objectives.
  """

  def __init__(self, extra: Sequence[str] = ()):
    self._process = subprocess.Popen(
      [sys.executable, "-m", "tests.faults.forking", *extra],
      cwd=launching.ROOT,
      env=launching.environment(),
      stdin=subprocess.PIPE,
      stdout=subprocess.PIPE,
      text=True,
      bufsize=1,
    )
    self.codes: dict[int, int] = {}
    self._pids: list[int] = []

  def close(self) -> None:
    for pid in self._pids:
      if pid not in self.codes:
        with contextlib.suppress(ProcessLookupError):
          os.kill(pid, signal.SIGKILL)
    self._process.communicate()

  def start(self, command: Sequence[str], output: pathlib.Path) -> Run:
    """Starts `launch.py ARGUMENTS`, as launching.train_command gives it."""
    place = list(command).index("launch.py") + 1
    request = {"argv": list(command[place:]), "output": str(output)}
    assert self._process.stdin is not None
    self._process.stdin.write(json.dumps(request) + "\n")
    self._process.stdin.flush()
    count = len(self._pids)
    while len(self._pids) == count:
      assert self._process.poll() is None, "the server has died"
      self.listen(0.5)
    return Run(self, self._pids[-1], output)

  def finish(
    self, command: Sequence[str], output: pathlib.Path, code: int = 0
  ) -> Run:
    """Runs a command to its end, which must have the exit code."""
    run = self.start(command, output)
    found = run.wait()
    assert found == code, f"exit code {found}, not {code}: {run.why()}"
    return run

  def listen(self, seconds: float) -> None:
    """Takes in what the server has to say, for so long at most."""
    stream = self._process.stdout
    assert stream is not None
    while select.select([stream], [], [], seconds)[0]:
      line = stream.readline()
      if not line:
        return
      said = json.loads(line)
      if "code" in said:
        self.codes[said["pid"]] = said["code"]
      else:
        self._pids.append(said["pid"])
      seconds = 0


def _serve(extra: Sequence[str]) -> None:
  import importlib

  for name in _HEAVY:
    importlib.import_module(name)
  objectives: Any = importlib.import_module("lm_jax.objectives")
  objectives.__path__.extend(extra)
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
  output = os.open(
    request["output"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND
  )
  for stream in (1, 2):
    os.dup2(output, stream)
  os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
  from lm_jax import cli

  cli.launch(request["argv"])


if __name__ == "__main__":
  _serve(sys.argv[1:])
