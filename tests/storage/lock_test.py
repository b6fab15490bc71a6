import os

import apart
import pytest

from lm_jax.storage import lock
from lm_jax.support.errors import UsageError


def test_a_second_holder_is_told_who_holds(tmp_path):
  run = tmp_path / "runs" / "one"
  with lock.hold(run):
    with (
      pytest.raises(UsageError, match=f"in use by process {os.getpid()} on"),
      lock.hold(run),
    ):
      pass
    with lock.hold(tmp_path / "runs" / "two"):
      pass
  with lock.hold(run):
    pass
  (tmp_path / "file").write_text("")
  with (
    pytest.raises(UsageError, match="cannot be written"),
    lock.hold(tmp_path / "file" / "run"),
  ):
    pass


def test_a_killed_holder_lets_go(tmp_path):
  script = """
import os, signal, sys
from lm_jax.storage.lock import hold
with hold(sys.argv[1]):
  os.kill(os.getpid(), signal.SIGKILL)
"""
  apart.python("-c", script, tmp_path, code=-9)
  assert "process" in (tmp_path / "lock").read_text()
  with lock.hold(tmp_path):
    pass
