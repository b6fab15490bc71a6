import io
import os
import signal
import types

import pytest

from lm_jax.apps.chat.terminal import Cancelled, Interrupt, Lines
from lm_jax.support.errors import UsageError


def _read(data, monkeypatch):
  """All messages in what a script pipes in."""
  stdin = types.SimpleNamespace(buffer=io.BytesIO(data), isatty=lambda: False)
  monkeypatch.setattr("sys.stdin", stdin)
  lines, found = Lines(), []
  assert not lines.interactive
  while (line := lines.read()) is not None:
    found.append(line)
  return found


@pytest.mark.parametrize(
  ("data", "messages"),
  [
    (b"a\n\nb", ["a", "", "b"]),
    (b"a\r\nb\r\n", ["a", "b"]),
    (b"a\\\nb\\\n\nc\n", ["a\nb\n", "c"]),
    (b"a\\", ["a"]),
    (b'"""\na\n\n b\n"""\nc\n', ["a\n\n b", "c"]),
    (b'"""a\nb"""\n', ["a\nb"]),
    (b'"""a"""\n', ["a"]),
    (b'say """x\n', ['say """x']),
    ("世界\n".encode(), ["世界"]),
  ],
)
def test_lines_and_blocks(data, messages, monkeypatch):
  assert _read(data, monkeypatch) == messages


@pytest.mark.parametrize(
  ("data", "message"),
  [
    (b"a\ncaf\xe9\n", "^message: is not UTF-8.*0xe9 in position 3"),
    (b'a\n"""\nb\n', '^message: """ is not closed'),
  ],
)
def test_what_is_no_message(data, message, monkeypatch):
  with pytest.raises(UsageError, match=message):
    _read(data, monkeypatch)


def test_ctrl_c_while_answering_is_noted_and_otherwise_raises():
  before = signal.getsignal(signal.SIGINT)
  with Interrupt() as interrupt:
    for _ in range(2):
      with interrupt.answering():
        assert not interrupt.asked()
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        assert interrupt.asked()
      with pytest.raises(Cancelled):
        os.kill(os.getpid(), signal.SIGINT)
  assert signal.getsignal(signal.SIGINT) == before
