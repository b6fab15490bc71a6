import json
import math
import sys

import pytest

from lm_jax.storage import disk, log
from lm_jax.storage.log import MetricsLog
from lm_jax.support.errors import UsageError


def lines(directory):
  text = (directory / "metrics.jsonl").read_text()
  return [json.loads(line) for line in text.splitlines()]


def test_a_resumed_log_goes_on_behind_its_step(tmp_path):
  with MetricsLog(tmp_path, 0) as first:
    for step in (1, 2, 3):
      first.write(step, {"loss": step / 2})
    first.write(3, {"held_out": 9.0})
    first.write(4, {"loss": 2.0})
  with (tmp_path / "metrics.jsonl").open("a") as file:
    file.write('{"step": 5, "lo')  # as a killed run leaves it
  with MetricsLog(tmp_path, 3) as second:
    second.write(3, {"held_out": 9.0})  # of the end, measured again
    second.write(4, {"loss": 2.5})
    second.write(4, {"held_out": 8.0})
  assert lines(tmp_path) == [
    {"step": 1, "loss": 0.5},
    {"step": 2, "loss": 1.0},
    {"step": 3, "loss": 1.5},
    {"step": 3, "held_out": 9.0},
    {"step": 4, "loss": 2.5},
    {"step": 4, "held_out": 8.0},
  ]


def test_a_run_that_begins_anew_leaves_no_lines_of_before(tmp_path):
  with MetricsLog(tmp_path, 0) as first:
    first.write(1, {"loss": 1.0})
  with MetricsLog(tmp_path, 0) as second:
    second.write(1, {"loss": 2.0})
  assert lines(tmp_path) == [{"step": 1, "loss": 2.0}]


def test_a_line_is_there_at_once_and_is_json(tmp_path):
  with MetricsLog(tmp_path, 0) as metrics:
    metrics.write(7, {"loss": math.nan, "grad_norm": math.inf, "tokens": 3})
    found = {"step": 7, "loss": None, "grad_norm": None, "tokens": 3}
    assert lines(tmp_path) == [found]


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path, monkeypatch):
  path = tmp_path / "result.json"
  log.write_atomically(path, "old")
  with monkeypatch.context() as patch:

    def full(descriptor):
      raise OSError("no space")

    patch.setattr(log.os, "fsync", full)
    with pytest.raises(OSError, match="no space"):
      log.write_atomically(path, "new")
  assert path.read_text() == "old"
  assert list(tmp_path.iterdir()) == [path]
  log.write_atomically(path, "new")
  assert [p.name for p in tmp_path.iterdir()] == ["result.json"]
  assert path.read_text() == "new"


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_a_directory_that_takes_no_files_is_told_as_such():
  with (
    pytest.raises(UsageError, match="^--run=/proc/x: can't be written: Perm"),
    disk.disk_errors_as_usage("--run=/proc/x"),
  ):
    log.write_atomically("/proc/x", "new")
