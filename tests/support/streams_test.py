"""What texts may do on a terminal, and that they are raw elsewhere."""

import os
import pty
import subprocess
import sys

import pytest

ODD = "\x1b]0;pwned\x07\x1b[2J\x9b2J\u202eabc\r\nline\tend"
_SAY = """
import sys
from lm_jax.support import streams
streams.mend()
print(sys.argv[1])
"""


def _read(file):
  found = b""
  try:
    while data := os.read(file, 4096):
      found += data
  except OSError:  # So a terminal says that nobody holds its other side.
    pass
  return found.decode()


@pytest.mark.parametrize("where", ["terminal", "pipe"])
def test_escape_sequences_reach_no_terminal(where):
  mine, theirs = pty.openpty() if where == "terminal" else os.pipe()
  command = [sys.executable, "-c", _SAY, ODD]
  subprocess.run(command, stdout=theirs, check=True)
  os.close(theirs)
  said = _read(mine)
  os.close(mine)
  if where == "pipe":
    assert said == ODD + "\n"
  else:
    wanted = "�]0;pwned��[2J�2J�abc\r\nline\tend\r\n"
    assert said.replace(" " * 4, "\t") == wanted or said == wanted


def test_a_name_that_is_not_utf8_is_printed_as_it_came():
  done = subprocess.run(
    [sys.executable, "-c", _SAY, os.fsdecode(b"a\xff")],
    capture_output=True,
    check=True,
    env=os.environ | {"PYTHONUTF8": "1", "LC_ALL": "C.UTF-8"},
  )
  assert done.stdout == b"a\xff\n"


@pytest.mark.parametrize("closed", [">&-", "<&- >&-", ">&- 2>&-", "<&-"])
def test_what_is_closed_is_done_without(closed):
  """Nothing that is opened takes its number, and the command is done."""
  command = f'exec "{sys.executable}" -m lm_jax list sizes {closed}'
  done = subprocess.run(
    ["sh", "-c", command], capture_output=True, text=True, check=False
  )
  assert (done.returncode, done.stderr) == (0, "")
  assert bool(done.stdout) == (">&-" not in closed.split("2")[0])


def test_output_gets_into_no_pipe_of_ours():
  """The watch for a second signal reads numbers from a pipe of its own."""
  script = """
import sys, time
from lm_jax import cli
def main(argv):
  for _ in range(2):
    print("\\x0f", flush=True)  # the number of SIGTERM
    time.sleep(0.1)
  return 0
cli.main = main
import lm_jax.training.stuck as stuck
stuck.PATIENCE = 0.05
cli.launch([])
"""
  done = subprocess.run(
    ["sh", "-c", 'exec "$@" <&- >&-', "sh", sys.executable, "-c", script],
    capture_output=True,
    text=True,
    check=False,
  )
  assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
  ("encoding", "wanted"),
  [
    ("gbk", "评测 -1 ≤ 2 \\U00020000 é"),
    ("ascii", "\\u8bc4\\u6d4b -1 <= 2 \\U00020000 \\xe9"),
    ("latin-1", "\\u8bc4\\u6d4b -1 <= 2 \\U00020000 é"),
    ("utf-8", "评测 −1 ≤ 2 𠀀 é"),
    ("utf-16", "评测 −1 ≤ 2 𠀀 é"),
  ],
)
def test_what_an_encoding_lacks_ends_nothing(encoding, wanted):
  """Signs of tables become ASCII, letters escapes; nothing is lost."""
  both = _SAY + "sys.stderr.write(sys.argv[1] + '\\n')"
  done = subprocess.run(
    [sys.executable, "-c", both, "评测 −1 ≤ 2 𠀀 é"],
    capture_output=True,
    check=True,
    env=os.environ | {"PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"},
  )
  for said in (done.stdout, done.stderr):
    assert said.decode(encoding) == wanted + "\n"
