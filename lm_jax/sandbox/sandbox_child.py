"""Confines its own process, and then runs one program in it.

The kernel allows the process only the calls in `_CALLS` (seccomp,
linux/seccomp.h): it may compute, use memory up to a limit, and write to files
that were open before. It can open no file, make no process, thread or socket,
and send no signal. So modules are imported before: those that programs usually
need, and those that the program names.

Run it as a script, by a Python without site-packages; it uses only the standard
library.
"""

from __future__ import annotations

import ast
import contextlib
import ctypes
import functools
import importlib
import json
import os
import platform
import resource
import signal
import socket
import struct
import sys
from collections.abc import Callable, Iterator

# System calls that are allowed, by machine: (AUDIT_ARCH_*, numbers of read,
# write, close, fstat, lseek, mmap, mprotect, munmap, brk, rt_sigaction,
# rt_sigprocmask, rt_sigreturn, mremap, sched_yield, madvise, nanosleep, getpid,
# exit, exit_group, getcwd, gettimeofday, times, getuid, geteuid, getgid,
# getegid, sigaltstack, gettid, futex, clock_gettime, clock_getres,
# clock_nanosleep, restart_syscall, getrandom, getrusage, uname and
# sched_getaffinity).
_CALLS: dict[str, tuple[int, tuple[int, ...]]] = {
  "x86_64": (
    0xC000003E,
    (
      *(0, 1, 3, 5, 8, 9, 10, 11, 12, 13, 14, 15, 25, 24, 28, 35, 39, 60),
      *(231, 79, 96, 100, 102, 107, 104, 108, 131, 186, 202, 228, 229, 230),
      *(219, 318, 98, 63, 204),
    ),
  ),
  "aarch64": (
    0xC00000B7,
    (
      *(63, 64, 57, 80, 62, 222, 226, 215, 214, 134, 135, 139, 216, 124, 233),
      *(101, 172, 93, 94, 17, 169, 153, 174, 175, 176, 177, 132, 178, 98),
      *(113, 114, 115, 128, 278, 165, 160, 123),
    ),
  ),
}
_PR_SET_PDEATHSIG, _PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS = 1, 22, 38
_CLONE_NEWUSER, _CLONE_NEWNET, _CLONE_NEWIPC = 0x10000000, 0x40000000, 0x8000000
# Modules that programs use; others can't be opened later.
_MODULES = (
  *("abc", "bisect", "calendar", "cmath", "collections", "collections.abc"),
  *("copy", "dataclasses", "datetime", "_strptime", "decimal", "enum"),
  *("fractions", "functools", "hashlib", "heapq", "inspect", "io"),
  *("itertools", "json", "math", "numbers", "operator", "queue", "random"),
  *("re", "statistics", "string", "sys", "textwrap", "time", "traceback"),
  *("types", "typing", "unicodedata", "encodings.ascii", "encodings.latin_1"),
)
# Modules that other modules import when a name is first used.
_LATER = {
  "concurrent.futures": (
    *("concurrent.futures.thread", "concurrent.futures.process"),
  )
}
# Not imported: they open windows, run a command, or look into memory.
_BESIDES = {
  *("antigravity", "this", "idlelib", "turtle", "turtledemo", "tkinter"),
  *("__main__", "_interpreters", "interpreters", "_xxsubinterpreters"),
}


def main() -> None:
  """Reads one program from standard input, runs it and reports its end.

  A token says that it passed. While the program runs, the token is in no
  variable of any frame, no buffer of a file and no object that the program can
  reach: it is only on the evaluation stack of this function, in the callable
  that will get the result of `run`.
  """
  question = json.loads(_read_all(0))
  answers = os.dup(1)
  nothing = os.open(os.devnull, os.O_RDWR)
  for number in (0, 1, 2):
    os.dup2(nothing, number)
  os.close(nothing)
  program, word = question["program"], question["word"]
  _import(program)
  try:
    had = shut_in(question["parent"], question["seconds"], question["memory"])
  except Exception as error:
    os.write(answers, f"{word} {type(error).__name__}: {error}\n".encode())
    os._exit(1)
  os.write(answers, f"{word} shut in by {had}\n".encode())
  sys.addaudithook(_no_looking_around())
  try:
    _passes(answers, question)(*run(program))
  except BaseException as error:  # anything that the program raises
    os.write(answers, f"{word} {_failure(error)}\n".encode())
  os._exit(0)


def _passes(answers: int, question: dict) -> functools.partial:
  """Returns a function that reports success; removes the token."""
  line = f"{question.pop('token')} passed\n".encode()
  return functools.partial(os.write, answers, line)


def run(program: str) -> tuple[()]:
  """Runs a program to its end, or raises its exception."""
  exec(compile(program, "<program>", "exec"), {"__name__": "__main__"})
  return ()


def _failure(error: BaseException) -> str:
  with contextlib.suppress(BaseException):
    line = f"failed: {type(error).__name__}: {error}"[:300]
    return " ".join(line.splitlines())
  return "failed"


def _no_looking_around() -> Callable[[str, tuple], None]:
  """Makes a hook, which stays, against access beyond the program itself.

  It refuses memory, all objects, the running of other frames and handmade
  bytecode. Names are bound here, where a program can't change their values.
  """
  refused = PermissionError

  def hook(event: str, _: tuple) -> None:
    if event.startswith("ctypes.") or event in {
      "gc.get_objects",
      "gc.get_referents",
      "gc.get_referrers",
      "sys.settrace",
      "sys.setprofile",
      "sys.monitoring.register_callback",
      "code.__new__",
      "marshal.load",
      "marshal.loads",
    }:
      raise refused(f"{event} is not allowed here")

  return hook


def _read_all(number: int) -> bytes:
  """Reads a file to its end and leaves nothing in a buffer."""
  return b"".join(iter(lambda: os.read(number, 1 << 16), b""))


def shut_in(parent: int, seconds: int, memory: int) -> str:
  """Takes from this process everything that a program does not need.

  Args:
    parent: id of a process; this one dies with it.
    seconds: of CPU time.
    memory: bytes of address space.

  Returns:
    The means: "seccomp", or "seccomp, network namespace".

  Raises:
    OSError: the kernel does not do it, or not correctly.
  """
  machine = platform.machine()
  if sys.platform != "linux" or machine not in _CALLS:
    raise OSError(f"{sys.platform} on {machine}: no list of system calls")
  libc = ctypes.CDLL(None, use_errno=True)
  _prctl(libc, _PR_SET_PDEATHSIG, signal.SIGKILL)
  if os.getppid() != parent:
    os._exit(1)
  had = ["seccomp"]
  apart = _CLONE_NEWUSER | _CLONE_NEWNET | _CLONE_NEWIPC
  if libc.unshare(apart) == 0:  # not everywhere allowed; seccomp is enough
    had.append("network namespace")
  for kind, most in (
    (resource.RLIMIT_CPU, seconds),
    (resource.RLIMIT_AS, memory),
    (resource.RLIMIT_CORE, 0),
    (resource.RLIMIT_FSIZE, 0),
    (resource.RLIMIT_NPROC, 0),
    (resource.RLIMIT_NOFILE, 0),
  ):
    resource.setrlimit(kind, (most, most))
  _filter(libc, *_CALLS[machine])
  _prove()
  return ", ".join(had)


def instructions(arch: int, calls: tuple[int, ...]) -> list[tuple[int, ...]]:
  """Builds a filter of (code, jt, jf, k), sock_filter in linux/filter.h."""
  load, equal, at_least, give = 0x20, 0x15, 0x35, 0x06
  kill, refuse, allow = 0x80000000, 0x00050001, 0x7FFF0000  # EPERM
  program = [
    (load, 0, 0, 4),  # seccomp_data.arch
    (equal, 1, 0, arch),
    (give, 0, 0, kill),
    (load, 0, 0, 0),  # seccomp_data.nr
    (at_least, 0, 1, 0x40000000),  # x32
    (give, 0, 0, kill),
  ]
  for number in calls:
    program += [(equal, 0, 1, number), (give, 0, 0, allow)]
  return [*program, (give, 0, 0, refuse)]


def _filter(libc: ctypes.CDLL, arch: int, calls: tuple[int, ...]) -> None:
  listed = instructions(arch, calls)
  code = b"".join(struct.pack("=HBBI", *each) for each in listed)
  held = ctypes.create_string_buffer(code, len(code))

  class Program(ctypes.Structure):  # struct sock_fprog
    _fields_ = (("len", ctypes.c_ushort), ("filter", ctypes.c_void_p))

  made = Program(len(listed), ctypes.addressof(held))
  _prctl(libc, _PR_SET_NO_NEW_PRIVS, 1)
  _prctl(libc, _PR_SET_SECCOMP, 2, ctypes.byref(made))


def _prctl(libc: ctypes.CDLL, option: int, *values) -> None:
  rest = [*values, 0, 0, 0, 0][:4]
  made = [
    ctypes.c_ulong(value) if isinstance(value, int) else value for value in rest
  ]
  if libc.prctl(option, *made):
    number = ctypes.get_errno()
    raise OSError(number, f"prctl({option}): {os.strerror(number)}")


def _prove() -> None:
  """Raises OSError unless forbidden calls fail."""
  pid = os.getpid()
  for what, attempt in (
    ("socket", socket.socket),
    ("open", lambda: os.open("/dev/null", os.O_RDONLY)),
    ("fork", os.fork),
    ("kill", lambda: os.kill(pid, 0)),
    ("exec", lambda: os.execv(sys.executable, [sys.executable, "-c", ""])),
  ):
    try:
      result = attempt()
    except PermissionError:
      continue
    if what == "fork" and result == 0:
      os._exit(1)
    raise OSError(f"{what} is not refused")


def _import(program: str) -> None:
  for name in (*_MODULES, *_named(program)):
    # What can't be imported here fails where the program imports it; some
    # modules are commands, and exit.
    with contextlib.suppress(BaseException):
      importlib.import_module(name)


def _named(program: str) -> Iterator[str]:
  """Yields the modules of the standard library that a program imports."""
  try:
    tree = ast.parse(program)
  except (SyntaxError, ValueError, RecursionError, MemoryError):
    return
  for node in ast.walk(tree):
    names = []
    if isinstance(node, ast.Import):
      names = [alias.name for alias in node.names]
    elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
      # The names may be modules, as in `from concurrent import futures`.
      names = [f"{node.module}.{alias.name}" for alias in node.names]
      names = [node.module, *names]
    for name in names:
      parts = name.split(".")
      if parts[0] in sys.stdlib_module_names and _BESIDES.isdisjoint(parts):
        yield name
        yield from _LATER.get(name, ())


if __name__ == "__main__":
  main()
