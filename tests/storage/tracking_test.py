"""Trackers get each point once, and can't harm a run."""

import dataclasses
import json
import sys
from typing import ClassVar

import pytest

from lm_jax.config import Config
from lm_jax.storage import identity, tracking
from lm_jax.storage.log import MetricsLog
from lm_jax.support.errors import UsageError
from lm_jax.trackers import base


class Recorder(base.Tracker):
  """Keeps what it gets, across processes as a server does."""

  runs: ClassVar[dict] = {}
  calls: ClassVar[list] = []
  broken = ""
  lost = False

  def _call(self, name):
    self.calls.append(name)
    if self.broken == name:
      raise ConnectionError("no route\nto host")

  def start(self, run, settings):
    self._call("start")
    self.run = run
    assert settings["optimizer.learning_rate"] > 0
    new = f"run{len(self.runs)}"
    self.identifier = new if self.lost else run.identifier or new
    self.points = self.runs.setdefault(self.identifier, [])
    return self.identifier

  def log(self, step, values):
    self._call("log")
    self.points.append((step, dict(values)))

  def finish(self, result):
    self._call("finish")
    self.points.append(result["status"])


@pytest.fixture(autouse=True)
def _recorder(monkeypatch):
  monkeypatch.setattr(Recorder, "runs", {})
  monkeypatch.setattr(Recorder, "calls", [])
  monkeypatch.setattr(tracking, "_find", lambda name: Recorder)


def _config(directory, **changes):
  (directory / "runs" / "mlm-seed0").mkdir(parents=True, exist_ok=True)
  options = {"arm": "mlm", "name": "mlm-seed0", "trackers": ("mine",)}
  place = str(directory / "runs" / "mlm-seed0")
  return Config(objective="mlm", workdir=place, **(options | changes))


def _session(config, step, lines, status=""):
  with tracking.Tracking(config) as tracked:
    with MetricsLog(config.workdir, step, tracked) as log:
      for at, values in lines:
        log.write(at, values)
    if status:
      tracked.finish({"status": status})


FIRST = [(1, {"loss": 3.0}), (2, {"loss": 2.0}), (2, {"held_out": 9.0})]


def test_a_run_is_continued_and_no_point_is_sent_twice(tmp_path):
  config = _config(tmp_path)
  _session(config, 0, [*FIRST, (3, {"loss": 1.5})])  # killed
  # It goes on from a checkpoint of step 2.
  again = [(2, {"held_out": 9.0}), (3, {"loss": 1.5}), (4, {"loss": 1.0})]
  _session(config, 2, again, "done")
  assert Recorder.runs == {
    "run0": [*FIRST, (3, {"loss": 1.5}), (4, {"loss": 1.0}), "done"]
  }
  file = json.loads((tmp_path / "runs/mlm-seed0/trackers.json").read_text())
  assert file["identifiers"] == {"mine": "run0"}


def test_numbers_that_are_none_are_left_out(tmp_path):
  _session(_config(tmp_path), 0, [(1, {"loss": float("nan"), "steps": 3})])
  assert Recorder.runs == {"run0": [(1, {"steps": 3})]}


def test_one_that_begins_late_gets_what_was_logged_before(tmp_path):
  _session(_config(tmp_path, trackers=()), 0, FIRST)
  assert not (tmp_path / "runs/mlm-seed0/trackers.json").exists()
  _session(_config(tmp_path), 2, [(3, {"loss": 1.0})])
  assert Recorder.runs == {"run0": [*FIRST, (3, {"loss": 1.0})]}


def test_a_run_that_the_tracker_has_lost_is_sent_anew(tmp_path, monkeypatch):
  _session(_config(tmp_path), 0, FIRST)
  monkeypatch.setattr(Recorder, "lost", True)
  _session(_config(tmp_path), 1, [(2, {"loss": 2.0})])
  assert Recorder.runs["run1"] == [FIRST[0], (2, {"loss": 2.0})]


def test_another_configuration_is_another_run(tmp_path):
  _session(_config(tmp_path), 0, FIRST)
  changed = _config(tmp_path, length=64, allow_change=("length",))
  _session(changed, 0, [(1, {"loss": 7.0})])
  assert Recorder.runs == {"run0": FIRST, "run1": [(1, {"loss": 7.0})]}


@pytest.mark.parametrize("when", ["start", "log", "finish"])
def test_a_failure_is_told_once_and_ends_the_tracking_alone(
  tmp_path, monkeypatch, capsys, when
):
  monkeypatch.setattr(Recorder, "broken", when)
  config = _config(tmp_path)
  _session(config, 0, FIRST, "done")
  assert capsys.readouterr().err == (
    "lm_jax: --trackers=mine: mlm-seed0 goes on without it: ConnectionError: no"
    " route to host\n"
  )
  assert Recorder.calls.count(when) == 1
  lines = (tmp_path / "runs/mlm-seed0/metrics.jsonl").read_text().splitlines()
  assert len(lines) == 3


def test_an_exception_that_ends_the_run_is_told(tmp_path):
  config = _config(tmp_path)

  def fail():
    with tracking.Tracking(config) as tracked:
      tracked.start(0, [])
      raise MemoryError

  with pytest.raises(MemoryError):
    fail()
  assert Recorder.runs == {"run0": ["failed"]}


def test_one_that_ignores_what_it_has_is_sent_it_again(tmp_path, monkeypatch):
  """What a killed process has not sent on is not lost."""
  config = _config(tmp_path)
  _session(config, 0, [*FIRST, (3, {"loss": 1.5})])
  monkeypatch.setattr(Recorder, "rewinds", True)
  _session(config, 2, [(2, {"held_out": 9.0}), (3, {"loss": 1.5})])
  assert Recorder.runs["run0"] == [*FIRST, *2 * [(3, {"loss": 1.5})]]
  # It is another run there, which gets all.
  monkeypatch.setattr(Recorder, "lost", True)
  _session(config, 3, [])
  assert Recorder.runs["run1"] == [*FIRST, (3, {"loss": 1.5})]


def test_what_a_tracker_has_missed_is_sent_when_it_is_back(
  tmp_path, monkeypatch
):
  config = _config(tmp_path)
  _session(config, 0, FIRST)
  for when in ("start", "log"):
    monkeypatch.setattr(Recorder, "broken", when)
    step = 3 if when == "start" else 4
    _session(config, step - 1, [(step, {"loss": 1.0})])
  monkeypatch.setattr(Recorder, "broken", "")
  # Left out once, and then asked for again.
  without = dataclasses.replace(config, trackers=())
  _session(without, 4, [(5, {"loss": 0.5})])
  _session(config, 5, [(6, {"loss": 0.25})], "done")
  later = [(3, {"loss": 1.0}), (4, {"loss": 1.0}), (5, {"loss": 0.5})]
  assert Recorder.runs == {
    "run0": [*FIRST, *later, (6, {"loss": 0.25}), "done"]
  }


def test_what_was_not_started_is_not_ended(tmp_path, capsys):
  """A process that is not the first, or one that found no data."""
  with tracking.Tracking(_config(tmp_path)) as tracked:
    tracked.finish({"status": "done"})
  with pytest.raises(MemoryError), tracking.Tracking(_config(tmp_path)):
    raise MemoryError
  assert not Recorder.calls
  assert not capsys.readouterr().err


def test_runs_are_grouped_by_experiment_and_arm(tmp_path):
  config = _config(tmp_path / "mine")
  run = tracking._tracked(config, 0, "")
  assert (run.experiment, run.arm, run.name) == ("mine", "mlm", "mlm-seed0")
  assert run.root == str(tmp_path / "mine")
  branch = dataclasses.replace(
    config, name="mlm-seed0, b", workdir=f"{config.workdir}/branches/b"
  )
  assert tracking._tracked(branch, 0, "").root == run.root
  alone = Config(objective="mlm", workdir=str(tmp_path / "mlm"))
  run = tracking._tracked(alone, 0, "")
  assert (run.experiment, run.arm, run.name) == ("lm_jax", "mlm", "mlm")
  assert run.root == run.directory


def test_trackers_are_no_part_of_what_a_run_is():
  one, other = (Config(trackers=names) for names in ((), ("wandb", "mlflow")))
  assert identity.fingerprint(one) == identity.fingerprint(other)


def test_what_is_wrong_is_a_line(monkeypatch):
  monkeypatch.undo()
  with pytest.raises(UsageError, match="--trackers=tensorbord: unknown; did"):
    tracking.check(("tensorbord",))
  with pytest.raises(UsageError, match="tensorboard twice"):
    tracking.check(("tensorboard", "tensorboard"))
  for name in ("wandb", "mlflow"):
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(UsageError) as raised:
      tracking.check(("tensorboard", name))
    assert str(raised.value) == (
      f"--trackers={name}: needs {name}; pip install 'lm_jax[{name}]'"
    )
  tracking.check(())
