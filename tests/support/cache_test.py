import pathlib
import subprocess
import sys
import time

import pytest

from lm_jax.support import cache
from lm_jax.support.errors import UsageError

BUILD_SLOWLY = """
import pathlib, sys, time
from lm_jax.support import cache

def build(folder):
  (folder / "half").write_text("")
  with pathlib.Path(sys.argv[2]).open("a") as file:
    file.write("built\\n")
  time.sleep(0.3)
  (folder / "whole").write_text("")

cache.prepared(pathlib.Path(sys.argv[1]), build)
"""


def _start(path: pathlib.Path, log: pathlib.Path) -> subprocess.Popen:
  return subprocess.Popen(
    [sys.executable, "-c", BUILD_SLOWLY, str(path), str(log)]
  )


def test_of_two_at_once_one_builds_and_both_end_well(tmp_path):
  path, log = tmp_path / "entry", tmp_path / "log"
  processes = [_start(path, log) for _ in range(2)]
  assert [process.wait() for process in processes] == [0, 0]
  assert log.read_text() == "built\n"
  assert sorted(f.name for f in path.iterdir()) == ["half", "whole"]


def test_a_killed_builder_leaves_no_damage(tmp_path):
  path, log = tmp_path / "entry", tmp_path / "log"
  process = _start(path, log)
  while not log.exists():
    assert process.poll() is None
    time.sleep(0.01)
  process.kill()
  process.wait()
  assert not path.exists()
  assert _start(path, log).wait() == 0
  assert sorted(f.name for f in path.iterdir()) == ["half", "whole"]
  assert not list(tmp_path.glob("*.partial"))


def test_what_others_left_is_swept_and_what_they_do_is_not(tmp_path):
  left, busy, log = (tmp_path / name for name in ("left", "busy", "log"))
  process = _start(left, log)
  while not log.exists():
    time.sleep(0.01)
  process.kill()
  process.wait()
  assert left.with_name("left.partial").exists()
  log.unlink()
  process = _start(busy, log)
  while not log.exists():
    time.sleep(0.01)
  cache.prepared(tmp_path / "third", lambda folder: None)
  assert not left.with_name("left.partial").exists()
  assert process.wait() == 0
  assert sorted(f.name for f in busy.iterdir()) == ["half", "whole"]


def test_a_failed_build_leaves_nothing(tmp_path):
  def build(folder):
    (folder / "half").write_text("")
    raise UsageError("bad")

  with pytest.raises(UsageError, match="bad"):
    cache.prepared(tmp_path / "entry", build)
  assert not list(tmp_path.glob("entry")) + list(tmp_path.glob("*.partial"))


def test_a_cache_that_cannot_be_written_is_named(tmp_path):
  (tmp_path / "file").write_text("")
  with pytest.raises(
    UsageError, match=r"--data\.cache: cannot write to .*file"
  ):
    cache.prepared(tmp_path / "file" / "entry", lambda folder: None)
