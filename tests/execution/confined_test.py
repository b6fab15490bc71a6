"""Programs that mean harm, and what becomes of them."""

import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest

from lm_jax.errors import UsageError
from lm_jax.execution import confined, inside

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
  found = confined.run(program)
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
  found = confined.run(program)
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
    ("import ctypes\nctypes.string_at(0)", "SIGSEGV"),
    ("import numpy", "ModuleNotFoundError"),
  ],
)  # fmt: skip
def test_what_goes_wrong_is_told(program, reason):
  found = confined.run(program, 1.0 if reason.startswith("took") else 9.0)
  assert not found.passed
  assert reason in found.reason


@linux
def test_honest_programs_pass():
  for program in (
    "",
    "print('x' * 10**6)",  # to nowhere
    "import math, re, hashlib, collections\nassert math.gcd(4, 6) == 2\n"
    "assert hashlib.md5(b'').hexdigest()[0] == 'd'",
    "from zoneinfo import ZoneInfo\nimport difflib",
    "import datetime\nd = datetime.datetime.strptime('2020', '%Y')\n"
    "assert d.year == 2020",
    "def f(n): return n and f(n - 1)\nassert f(500) == 0",
  ):
    found = confined.run(program)
    assert found.passed, (program, found)


@linux
def test_nothing_is_left(tmp_path, monkeypatch):
  monkeypatch.setenv("TMPDIR", str(tmp_path))
  monkeypatch.setattr(confined.tempfile, "tempdir", None)
  started = time.monotonic()
  found = confined.run_all(["while True: pass"] * 4 + ["1 / 0"], 0.5)
  assert [outcome.passed for outcome in found] == [False] * 5
  assert "ZeroDivisionError" in found[-1].reason
  assert time.monotonic() - started < 20
  assert list(tmp_path.iterdir()) == []
  children = pathlib.Path(f"/proc/{os.getpid()}/task").glob("*/children")
  pids = " ".join(path.read_text() for path in children).split()
  for pid in pids:
    command = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
    assert b"inside.py" not in command


@linux
def test_a_program_dies_with_its_parent():
  parent = (
    "from lm_jax.execution import confined\n"
    "confined.run('while True: pass', 60.0)"
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


@pytest.mark.parametrize("lost", ["_CALLS = {}", "_prove = lambda: 1 / 0"])
def test_a_machine_that_can_not_shut_in_runs_nothing(
  lost, tmp_path, monkeypatch
):
  source = pathlib.Path(inside.__file__).read_text()
  head, mark, tail = source.rpartition('if __name__ == "__main__"')
  changed = tmp_path / "inside.py"
  changed.write_text(f"{head}{lost}\n{mark}{tail}")
  monkeypatch.setattr(confined, "_INSIDE", changed)
  ran = tmp_path / "ran"
  found = confined.run(f"open({str(ran)!r}, 'w')")
  assert not found.passed
  assert found.confined == ""
  assert not ran.exists()
  with pytest.raises(UsageError, match="--run_generated_code: this machine"):
    confined.confinement()


@linux
def test_a_filter_that_lets_something_through_is_noticed(tmp_path, monkeypatch):
  source = pathlib.Path(inside.__file__).read_text()
  head, mark, tail = source.rpartition('if __name__ == "__main__"')
  changed = tmp_path / "inside.py"
  changed.write_text(f"{head}_filter = lambda *_: None\n{mark}{tail}")
  monkeypatch.setattr(confined, "_INSIDE", changed)
  found = confined.run("")
  assert not found.confined
  assert "is not refused" in found.reason or "Errno" in found.reason
