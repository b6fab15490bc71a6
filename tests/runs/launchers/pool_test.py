"""Runs in several processes; tests/faults/kill_compare.py kills real ones."""

import json
from typing import ClassVar

import pytest
from fake_runs import FakeRuns

from lm_jax import config as config_lib
from lm_jax.config import Config
from lm_jax.data.options import DataOptions
from lm_jax.runs import attempt, execute, grid, record
from lm_jax.runs.launchers import _pool, _room
from lm_jax.runs.launchers.base import Batch
from lm_jax.runs.launchers.local import Local
from lm_jax.storage import identity
from lm_jax.support import machine
from lm_jax.support.errors import UsageError
from lm_jax.support.worker_process import WorkerDied

fastest = _room.fastest  # which tests leave out


@pytest.fixture
def configs(tmp_path):
  arms = [Config(arm="a"), Config(arm="b", length=64)]
  return record.place(grid.cross(arms, [], 3), str(tmp_path))


class FakeWorker:
  """A process that ends runs at once, as `script` says; notes what it gets."""

  script: ClassVar[dict[str, list]]
  asked: ClassVar[list[tuple[int, str]]]
  setups: ClassVar[list[dict]]
  pid = 1

  def __init__(self, module, purpose, setup):
    self.number = len(self.setups)
    self.setups.append(setup)
    self.closed = False

  def ask(self, question):
    config = config_lib.from_json(question["config"])
    self.asked.append((self.number, config.name))
    ends = self.script.get(config.name, [])
    outcome = ends.pop(0) if ends else "done"
    if outcome == "died":
      raise WorkerDied("the process of a run, 7, was killed by SIGKILL")
    if outcome == "done":
      FakeRuns().execute(config)
    return json.dumps([outcome, "why" if outcome == "failed" else ""]).encode()

  def close(self):
    self.closed = True


@pytest.fixture
def workers(monkeypatch):
  """A class of workers of its own for each test."""
  fake = type("Fake", (FakeWorker,), {"script": {}, "asked": [], "setups": []})
  monkeypatch.setattr(_pool, "Worker", fake)
  return fake


def _run(configs, count=2):
  runs = [FakeRuns().run(config) for config in configs]
  return _pool.run(Batch("", runs, count, 2, True), count)


def test_every_run_is_carried_out_once(configs, workers, capsys):
  statuses = _run(configs)
  assert statuses == {config.name: "done" for config in configs}
  assert sorted(name for _, name in workers.asked) == sorted(statuses)
  lines = capsys.readouterr().err.splitlines()
  assert lines[0].startswith("2 runs at a time")
  assert lines[-1].startswith("[6/6] ")


def test_processes_share_processors_and_have_the_same_threads(configs, workers):
  _run(configs)
  first, second = (set(setup["cores"]) for setup in workers.setups)
  assert not first & second
  assert {setup["threads"] for setup in workers.setups} == {2}
  assert all(setup["memory"] > 0 for setup in workers.setups)


@pytest.mark.parametrize(
  "changes",
  [
    {"objective": "mlm_nsp"},  # Its pairs were others before there was --pairs.
    {"objective": "denoising"},
    {"phases": "mlm_nsp:0.5,mlm:0.5"},
    {"data": DataOptions(packing="document")},
  ],
)
def test_a_run_of_a_process_is_the_one_that_was_asked_for(
  tmp_path, workers, changes
):
  """What is left to the defaults is not what it was in older runs."""
  arms = [Config(batch_size=2, **changes), Config(arm="b", length=64)]
  configs = record.place(grid.cross(arms, {}, 1), str(tmp_path))
  _run(configs)
  for config in configs:
    got = config_lib.read(config.workdir)
    assert identity.fingerprint(got) == identity.fingerprint(config)


def test_a_process_keeps_to_an_arm(configs, workers):
  _run(configs)
  first_of = {number: name[0] for number, name in reversed(workers.asked)}
  assert sorted(first_of.values()) == ["a", "b"]


def test_a_run_whose_process_was_killed_is_tried_once_more(
  configs, workers, capsys
):
  workers.script["a-seed1"] = ["died"]
  assert _run(configs)["a-seed1"] == "done"
  assert "killed by SIGKILL (out of memory?); once more" in (
    capsys.readouterr().err
  )
  assert len(workers.setups) == 3


def test_a_run_that_kills_its_process_twice_has_failed(configs, workers):
  workers.script["a-seed1"] = ["died", "died"]
  statuses = _run(configs)
  assert statuses["a-seed1"] == "failed"
  assert set(statuses.values()) == {"done", "failed"}
  (config,) = [c for c in configs if c.name == "a-seed1"]
  assert attempt.status_of(config) == "failed"
  content = json.loads(
    (attempt.result.path(config)).read_text(encoding="utf-8")
  )
  assert "killed by SIGKILL" in content["error"]


def test_a_run_that_is_wrong_is_not_tried_again(configs, workers):
  workers.script["b-seed0"] = ["failed"]
  statuses = _run(configs)
  assert statuses["b-seed0"] == "failed"
  assert [name for _, name in workers.asked].count("b-seed0") == 1


def test_an_interruption_lets_the_runs_save(configs, workers, monkeypatch):
  """The wait is interrupted; what runs ends as interrupted, the rest waits."""
  hit = []
  wait = _pool._Pool.wait

  def interrupted(self, progress):
    if not hit:
      hit.append(True)
      raise KeyboardInterrupt
    wait(self, progress)

  monkeypatch.setattr(_pool._Pool, "wait", interrupted)
  monkeypatch.setattr(_pool.os, "kill", lambda pid, number: None)
  workers.script |= {c.name: ["interrupted"] for c in configs}
  statuses = _run(configs)
  assert set(statuses.values()) == {"interrupted"}
  assert len(workers.asked) == 2
  assert execute.exit_code(statuses) == 75


def test_more_processes_than_there_is_room_for_are_refused(
  configs, monkeypatch
):
  runs = [FakeRuns().run(config) for config in configs]
  many = Batch("", runs, machine.cores() + 1, 2, False)
  with pytest.raises(UsageError, match=r"--parallel=\d+: each process needs"):
    Local().check(many)
  monkeypatch.setattr(_room.machine, "cores", lambda: 64)
  monkeypatch.setattr(_room, "_free", lambda: 4 * 2**30)
  with pytest.raises(UsageError, match="more than the memory that is free"):
    Local().check(Batch("", runs, 8, 2, False))


def test_by_default_small_models_run_beside_one_another(configs, monkeypatch):
  runs = [FakeRuns().run(config) for config in configs]
  batch = Batch("", runs, 0, 2, False)
  monkeypatch.setattr(_room.machine, "cores", lambda: 2)
  monkeypatch.setattr(_room, "_free", lambda: 32 * 2**30)
  assert fastest(batch) == 2
  monkeypatch.setattr(_room, "_free", lambda: 2 * 2**30)
  assert fastest(batch) == 1
  monkeypatch.setattr(_room, "_free", lambda: 32 * 2**30)
  monkeypatch.setattr(_room, "_SMALL_STEP", 1.0)
  assert fastest(batch) == 1
