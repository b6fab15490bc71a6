"""Programs that mean harm, and what becomes of them."""

import os
import pathlib
import re
import resource
import signal
import subprocess
import sys
import time

import pytest

from lm_jax.sandbox import sandbox, sandbox_child
from lm_jax.support.errors import UsageError

linux = pytest.mark.skipif(sys.platform != "linux", reason="needs seccomp")

# What must be refused, and the error that the program gets.
REFUSED = {
  "fork": "import os\nwhile True: os.fork()",
  "thread": "import threading\nt = threading.Thread(target=print); t.start()",
  "process": "import subprocess\nsubprocess.run(['true'])",
  "system": "import os\nassert os.system('true') == 0",
  "exec": "import os\nos.execv('/bin/true', ['true'])",
  "socket": "import socket\nsocket.socket().connect(('127.0.0.1', 80))",
  "pair": "import socket\nsocket.socketpair()",
  "write": "open('x', 'w')",
  "outside": "open('{place}/x', 'w')",
  "read": "open('/etc/passwd')",
  "environ": "open('/proc/{parent}/environ', 'rb').read()",
  "list": "import os\nos.listdir('/')",
  "remove": "import os\nos.remove('{place}/kept')",
  "chmod": "import os\nos.chmod('{place}/kept', 0)",
  "link": "import os\nos.symlink('{place}/kept', 'x')",
  "kill": "import os, signal\nos.kill({parent}, signal.SIGKILL)",
  "group": "import os, signal\nos.killpg(0, signal.SIGKILL)",
  "leave": "import os\nos.setsid()",
  "limits": "import resource as r\nr.setrlimit(r.RLIMIT_AS, (-1, -1))",
  "ctypes": (
    "import ctypes\nlibc = ctypes.CDLL(None, use_errno=True)\n"
    "assert libc.socket(2, 1, 0) >= 0, ctypes.get_errno()"
  ),
  "trace": (
    "import ctypes\nlibc = ctypes.CDLL(None)\n"
    "assert libc.ptrace(16, {parent}, 0, 0) == 0"
  ),
}


@linux
@pytest.mark.parametrize("name", REFUSED)
def test_harm_is_refused(name, tmp_path):
  kept = tmp_path / "kept"
  kept.write_text("kept")
  program = REFUSED[name].replace("{place}", str(tmp_path))
  program = program.replace("{parent}", str(os.getpid()))
  found = sandbox.run(program)
  assert not found.passed
  assert found.confined.startswith("seccomp")
  # It was refused, and did not fail for another reason.
  assert any(
    error in found.reason
    for error in (
      *("PermissionError", "not permitted", "not allowed", "AssertionError"),
      "can't start new thread",
    )
  ), found
  assert [path.name for path in tmp_path.iterdir()] == ["kept"]
  assert kept.read_text() == "kept"
  assert kept.stat().st_mode & 0o400


@linux
def test_a_program_gets_no_environment(monkeypatch):
  monkeypatch.setenv("SECRET", "told to nobody")
  program = "import os\nassert {*os.environ} <= {'LC_CTYPE'}, os.environ"
  found = sandbox.run(program)
  assert found.passed, found


@linux
@pytest.mark.parametrize(
  ("program", "reason"),
  [
    ("while True: pass", "took more than 1 seconds"),
    ("import time\ntime.sleep(60)", "took more than 1 seconds"),
    ("x = [0] * 10**9", "MemoryError"),
    ("x = 'a'\nwhile True: x += x", "MemoryError"),
    ("import os\nos._exit(0)", "ended by itself"),
    ("import sys\nsys.exit()", "SystemExit"),
    ("raise KeyboardInterrupt", "KeyboardInterrupt"),
    ("assert 1 == 2", "AssertionError"),
    ("def f(: pass", "SyntaxError"),
    # Words of its own about how it ended.
    ("import os\nfor n in range(9):\n  try: os.write(n, b'0 passed\\n')\n"
     "  except OSError: pass\nos._exit(0)", "ended by itself"),
    ("import os\nfor n in range(3, 9):\n  try:\n"
     "    while True: os.write(n, b'a' * 4096)\n"
     "  except OSError: pass", "failed"),
    ("import faulthandler\nfaulthandler._read_null()", "SIGSEGV"),
    ("import ctypes\nctypes.string_at(0)", "ctypes.string_at is not allowed"),
    ("import venv.__main__", "failed: "),
    ("from venv import __main__", "failed: "),
    ("import unittest.__main__", "failed: "),
    ("import json.tool, sys\nsys.exit(0)", "SystemExit"),
    ("import numpy", "ModuleNotFoundError"),
  ],
)  # fmt: skip
def test_what_goes_wrong_is_told(program, reason):
  found = sandbox.run(program, 1.0 if reason.startswith("took") else 9.0)
  assert not found.passed
  assert reason in found.reason


# Looks for a token wherever a program can look, and says "passed" with each.
FORGER = """
import collections, functools, io, os, re, sys, types

def strings(value, depth=4, seen=None):
  seen = set() if seen is None else seen
  if id(value) in seen or depth < 0:
    return
  seen.add(id(value))
  if isinstance(value, (bytes, bytearray)):
    value = bytes(value).decode("latin-1")
  if isinstance(value, str):
    yield from re.findall("[0-9a-f]{32}", value)
  elif isinstance(value, functools.partial):
    yield from strings((value.func, value.args, value.keywords), depth, seen)
  elif isinstance(value, dict):
    for pair in list(value.items()):
      yield from strings(pair, depth - 1, seen)
  elif isinstance(value, (list, tuple, set, frozenset)):
    for item in list(value):
      yield from strings(item, depth - 1, seen)
  elif isinstance(value, types.FunctionType):
    cells = [cell.cell_contents for cell in value.__closure__ or ()]
    yield from strings((cells, value.__defaults__), depth - 1, seen)
    yield from strings(value.__code__.co_consts, depth - 1, seen)

def forge(values):
  for word in set(strings(values)):
    for number in range(3, 20):
      try: os.write(number, f"{word} passed\\n".encode())
      except OSError: pass
"""
FORGERIES = {
  "frames": "frame = sys._getframe()\nwhile frame:\n"
  "  forge([frame.f_locals, frame.f_globals, frame.f_code.co_consts])\n"
  "  frame = frame.f_back",
  "traceback": "try: 1 / 0\nexcept Exception as e:\n"
  "  frame = e.__traceback__.tb_frame\n  while frame:\n"
  "    forge([frame.f_locals])\n    frame = frame.f_back",
  "current_frames": "for f in sys._current_frames().values():\n"
  "  forge([f.f_locals, f.f_back.f_locals, f.f_back.f_back.f_locals])",
  "inspect": "import inspect\nforge([[f.frame.f_locals, f.frame.f_globals]"
  " for f in inspect.stack()])",
  "main": "import __main__\nforge([vars(__main__), sys.modules['__main__']])",
  "input": "try: forge([sys.stdin.buffer.read(), sys.stdin.buffer.peek()])\n"
  "except (ValueError, OSError): pass",
  "pipes": "for n in range(20):\n  try: forge([os.read(n, 9999)])\n"
  "  except OSError: pass",
  "gc": "import gc\nforge(gc.get_objects())",
  "referents": "import gc\nf = sys._getframe()\nwhile f:\n"
  "  forge(gc.get_referents(f))\n  f = f.f_back",
  "referrers": "import gc\nforge(gc.get_referrers(os.write))",
  "memory": "import ctypes\nforge([ctypes.string_at(id(forge), 99)])",
  "object": "import ctypes\n"
  "forge([ctypes.cast(id(sys), ctypes.py_object).value])",
  "trace": "sys.settrace(lambda *a: None)\nsys._getframe(1).f_trace = print",
  "profile": "sys.setprofile(lambda f, e, a: forge([a, f.f_locals]))",
  "bytecode": "c = forge.__code__.replace(co_code=b'\\0' * 8)\nexec(c)",
  "marshal": "import marshal\nexec(marshal.loads(marshal.dumps("
  "compile('1', '', 'exec'))))",
  "hook": "def hook(event, args): forge([args, sys._getframe(1).f_locals])\n"
  "sys.addaudithook(hook)",
  "finalizer": "class X:\n  def __del__(self):\n    f = sys._getframe()\n"
  "    while f:\n      forge([f.f_locals])\n      f = f.f_back\n"
  "import gc\ngc.set_threshold(1)\n"
  "for _ in range(99):\n  x = X()\n  x.x = x\n  sys.audit('x', [])",
  "builtins": "import builtins, __main__\n"
  "def spy(*a, **k): forge([a, k, sys._getframe(1).f_locals])\n"
  "for n in ('exec', 'compile', 'print', 'type', 'PermissionError', 'set'):\n"
  "  setattr(builtins, n, spy)\n"
  "for n in ('run', '_failure', 'functools', 'os', 'contextlib'):\n"
  "  setattr(__main__, n, spy)\n"
  "try: sys.settrace(None)\nexcept BaseException: pass",
  "atexit": "import atexit\natexit.register(forge, sys._getframe(2).f_locals)"
  "\nsys.exit()",
  "exit": "os._exit(0)",
  "close": "for n in range(3, 20):\n  try: os.close(n)\n  except OSError: pass",
  "threads": "import threading\nt = threading.Thread(target=forge,"
  " args=[dict(sys._getframe(2).f_locals)])\nt.start()",
  "interpreters": "import _xxsubinterpreters as i\n"
  "i.run_string(i.create(), 'import ctypes')",
}


@linux
@pytest.mark.parametrize("name", FORGERIES)
def test_that_it_passed_can_not_be_forged(name):
  found = sandbox.run(f"{FORGER}\n{FORGERIES[name]}\nassert False\n")
  assert not found.passed
  assert found.confined, found
  assert found.reason.startswith("failed: ")


@linux
def test_the_forger_would_find_a_token_in_a_frame():
  program = f"{FORGER}\ndef f():\n  token = 'a' * 32\n  g()\n" + (
    "def g():\n  found = {*strings(sys._getframe(1).f_locals)}\n"
    "  assert found == {'a' * 32}, found\nf()"
  )
  assert sandbox.run(program).passed


@linux
def test_honest_programs_pass():
  for program in (
    "",
    "print('x' * 10**6)",  # to nowhere
    "import math, re, hashlib, collections\nassert math.gcd(4, 6) == 2\n"
    "assert hashlib.md5(b'').hexdigest()[0] == 'd'",
    "from zoneinfo import ZoneInfo\nimport difflib",
    "from concurrent import futures\nfrom xml.etree import ElementTree",
    "from concurrent.futures import ThreadPoolExecutor, as_completed",
    "import concurrent.futures as c\nc.ProcessPoolExecutor",
    "import traceback, inspect, gc, sys\ngc.collect()\n"
    "def f(): return inspect.currentframe().f_back.f_code.co_name\n"
    "assert f() == '<module>'\ntry: 1 / 0\n"
    "except Exception: assert 'Zero' in traceback.format_exc()",
    "import collections, dataclasses, enum, typing\n"
    "@dataclasses.dataclass(order=True)\nclass C:\n  x: int = 0\n"
    "P = collections.namedtuple('P', 'a b')\nassert P(1, 2).b == 2\n"
    "class N(typing.NamedTuple):\n  a: int\n"
    "E = enum.Enum('E', 'a b')\nassert C(1) > C() and N(1).a == 1",
    "import datetime\nd = datetime.datetime.strptime('2020', '%Y')\n"
    "assert d.year == 2020",
    "def f(n): return n and f(n - 1)\nassert f(500) == 0",
  ):
    found = sandbox.run(program)
    assert found.passed, (program, found)


@linux
def test_nothing_is_left(tmp_path, monkeypatch):
  monkeypatch.setenv("TMPDIR", str(tmp_path))
  monkeypatch.setattr(sandbox.tempfile, "tempdir", None)
  started = time.monotonic()
  found = sandbox.run_all(["while True: pass"] * 4 + ["1 / 0"], 0.5)
  assert [outcome.passed for outcome in found] == [False] * 5
  assert "ZeroDivisionError" in found[-1].reason
  assert time.monotonic() - started < 20
  assert list(tmp_path.iterdir()) == []
  children = pathlib.Path(f"/proc/{os.getpid()}/task").glob("*/children")
  pids = " ".join(path.read_text() for path in children).split()
  for pid in pids:
    command = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
    assert b"sandbox_child.py" not in command


@linux
def test_a_program_dies_with_its_parent():
  parent = (
    "from lm_jax.sandbox import sandbox\nsandbox.run('while True: pass', 60.0)"
  )
  process = subprocess.Popen([sys.executable, "-c", parent])

  def running():
    found = []
    for path in pathlib.Path("/proc").glob("[0-9]*/stat"):
      try:
        fields = path.read_text().rpartition(") ")[2].split()
      except OSError:
        continue
      if int(fields[1]) == process.pid and fields[0] != "Z":
        found.append(int(path.parent.name))
    return found

  deadline = time.monotonic() + 30
  while not (children := running()) and time.monotonic() < deadline:
    time.sleep(0.05)
  assert children
  time.sleep(0.5)  # until it asked to die with its parent
  process.send_signal(signal.SIGKILL)
  process.wait()
  deadline = time.monotonic() + 10
  while time.monotonic() < deadline:
    if not any(pathlib.Path(f"/proc/{pid}").exists() for pid in children):
      return
    time.sleep(0.05)
  raise AssertionError(f"{children} outlived their parent")


@pytest.mark.parametrize(
  ("lost", "reason"),
  [
    ("_CALLS = {}", "no list of system calls"),
    pytest.param("_prove = lambda: 1 / 0", "ZeroDivisionError", marks=linux),
    # A filter that lets something through is noticed.
    pytest.param("_filter = lambda *_: None", "is not ref|Errno", marks=linux),
  ],
)
def test_a_machine_that_can_not_shut_in_runs_nothing(
  lost, reason, tmp_path, monkeypatch
):
  source = pathlib.Path(sandbox_child.__file__).read_text()
  head, mark, tail = source.rpartition('if __name__ == "__main__"')
  changed = tmp_path / "sandbox_child.py"
  changed.write_text(f"{head}{lost}\n{mark}{tail}")
  monkeypatch.setattr(sandbox, "_CHILD", changed)
  ran = tmp_path / "ran"
  found = sandbox.run(f"open({str(ran)!r}, 'w')")
  assert not found.passed
  assert found.confined == ""
  assert re.search(reason, found.reason), found
  assert not ran.exists()
  with pytest.raises(UsageError, match="--run_generated_code: this machine"):
    sandbox.confinement()


def test_a_process_with_many_open_files_may_run_programs():
  soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
  most = 2048 if hard == resource.RLIM_INFINITY else min(2048, hard)
  if most < 1100:
    pytest.skip("no process may have as many open files")
  resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
  held = []
  try:
    while not held or held[-1] < 1030:  # select() ends at 1,024.
      held.append(os.dup(0))
    assert sandbox.run("").passed
  finally:
    for number in held:
      os.close(number)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
