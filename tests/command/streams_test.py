"""Standard streams that a daemon, a full disk or a reader has taken away."""

import pathlib
import subprocess
import sys

import pytest

from lm_jax.chat.terminal import Lines
from lm_jax.errors import UsageError
from lm_jax.generation import command as generation

ROOT = pathlib.Path(__file__).parents[2]
FULL = "lm_jax: standard output: No space left on device\n"


def shell(command, redirection):
  """A command of lm_jax from a shell: exit code, what stderr got."""
  done = subprocess.run(
    ["bash", "-c", f"exec {sys.executable} launch.py {command} {redirection}"],
    cwd=ROOT,
    stdout=subprocess.DEVNULL,
    stderr=subprocess.PIPE,
    text=True,
    check=False,
  )
  return done.returncode, done.stderr


@pytest.mark.parametrize(
  ("command", "redirection", "ends"),
  [
    ("list tasks", ">&-", (0, "")),
    ("list tasks", "<&- >&- 2>&-", (0, "")),
    ("list tasks", ">/dev/full", (2, FULL)),
    ("train --help", ">/dev/full", (2, FULL)),
    ("list tasks", ">/dev/full 2>/dev/full", (2, "")),
    ("list nothing", "2>/dev/full", (2, "")),
    ("list nothing", "2>&-", (2, "")),
  ],
)
def test_streams_that_are_closed_or_full(command, redirection, ends):
  assert shell(command, redirection) == ends


@pytest.mark.parametrize("size", [1, 10**6])
def test_what_a_command_prints_fails_at_once_or_at_the_end(size):
  code = (
    "from lm_jax import cli\n"
    f"cli.COMMANDS = {{'x': ('', lambda argv: print('x' * {size}) or 0)}}\n"
    "cli.launch(['x'])"
  )
  with open("/dev/full", "w") as full:
    done = subprocess.run(
      [sys.executable, "-c", code],
      cwd=ROOT,
      stdout=full,
      stderr=subprocess.PIPE,
      text=True,
      check=False,
    )
  assert (done.returncode, done.stderr) == (2, FULL)


def test_a_conversation_without_standard_input_has_no_messages(monkeypatch):
  monkeypatch.setattr("sys.stdin", None)
  lines = Lines()
  assert not lines.interactive and lines.read() is None


def test_a_prompt_from_closed_standard_input_is_one_line(monkeypatch):
  monkeypatch.setattr("sys.stdin", None)
  with pytest.raises(UsageError, match="^--prompt=-: standard input is closed"):
    generation.main({"model": ["x"], "prompt": ["-"]})
