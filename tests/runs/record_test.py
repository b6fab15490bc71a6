import dataclasses
import functools
import json
import types

import pytest

from lm_jax import config as config_lib
from lm_jax.config import Config
from lm_jax.runs import execute, grid, record
from lm_jax.support.errors import UsageError


def _configs(directory, seeds, **changes):
  arms = [Config(arm="a", **changes), Config(arm="b", batch_size=16, **changes)]
  return record.place(grid.cross(arms, {}, seeds), str(directory))


def _finish(config, progress=True):
  path = record.pathlib.Path(config.workdir)
  path.mkdir(parents=True)
  (path / "config.json").write_text(config_lib.to_json(config))
  (path / "result.json").write_text('{"status": "done"}')
  return {"status": "done"}


def _write(directory, configs, command="first"):
  record.write(str(directory), "e", "Is it?\n\nYes.", command, "a", configs)
  return json.loads((directory / record.FILE).read_text())


def test_says_what_the_experiment_is(tmp_path):
  content = _write(tmp_path, _configs(tmp_path, 1))
  assert content["question"] == "Is it?"
  assert content["runs"] == [
    {"name": "a-seed0", "arm": "a", "seed": 0},
    {"name": "b-seed0", "arm": "b", "seed": 0},
  ]
  assert content["versions"]["jax"]
  assert "cores" in content["machine"]


def test_more_and_fewer_seeds_are_the_same_experiment(tmp_path):
  two = _configs(tmp_path, 2)
  _write(tmp_path, two)
  runs = [
    types.SimpleNamespace(config=c, execute=functools.partial(_finish, c))
    for c in two
  ]
  execute.execute(runs, progress=False)
  for seeds in (1, 3):
    record.check_same(str(tmp_path), "e", _configs(tmp_path, seeds))
  one = _write(tmp_path, _configs(tmp_path, 1), "second")
  assert len(one["runs"]) == 4
  assert one["command"] == "first"
  three = _write(tmp_path, _configs(tmp_path, 3), "third")
  assert len(three["runs"]) == 6
  assert three["command"] == "third"


def test_an_arm_may_be_dropped_and_added(tmp_path):
  configs = _configs(tmp_path, 1)
  _write(tmp_path, configs)
  _finish(configs[1])
  record.check_same(str(tmp_path), "e", configs[:1])
  # What is done stays part of the experiment; what was only planned does not.
  assert len(_write(tmp_path, configs[:1])["runs"]) == 2
  assert len(_write(tmp_path, configs[1:])["runs"]) == 1


def test_a_dropped_arm_keeps_what_is_on_record_of_it(tmp_path):
  configs = _configs(tmp_path, 1)
  tuning = {"trials": 2, "arms": {"a": {"flops": 1}, "b": {"flops": 2}}}
  about = {
    "differs": ["batch_size"],
    "trials": {"a": 3, "b": 4},
    "tuning": tuning,
  }
  record.write(str(tmp_path), "e", "Is it?", "c", "a", configs, **about)
  _finish(configs[1])
  own = {
    "differs": ["length"],
    "trials": {"a": 5},
    "tuning": {"trials": 6, "arms": {"a": {"flops": 7}}},
  }
  record.write(str(tmp_path), "e", "Is it?", "c", "a", configs[:1], **own)
  content = json.loads((tmp_path / record.FILE).read_text())
  assert content["differs"] == ["length", "batch_size"]
  assert content["trials"] == {"a": 5, "b": 4}
  arms = {"a": {"flops": 7}, "b": {"flops": 2}}
  assert content["tuning"] == {"trials": 6, "arms": arms}
  # What is no arm any more has left nothing.
  (tmp_path / "runs" / "b-seed0" / "result.json").unlink()
  record.write(str(tmp_path), "e", "Is it?", "c", "a", configs[:1], **own)
  content = json.loads((tmp_path / record.FILE).read_text())
  assert content["trials"] == {"a": 5}
  assert content["tuning"] == own["tuning"]


def test_an_arm_has_one_setting_whatever_its_seeds(tmp_path):
  """Else seeds of two settings would be averaged as if of one arm."""
  configs = _configs(tmp_path, 1)
  _write(tmp_path, configs)
  for config in configs:
    _finish(config)

  def later(**changes):
    moved = [
      dataclasses.replace(c, seed=7, name=f"{c.arm}-seed7", **changes)
      for c in configs
    ]
    return record.place(moved, str(tmp_path))

  record.check_same(str(tmp_path), "e", later())
  record.check_same(str(tmp_path), "e", later(log_every=3))
  with pytest.raises(UsageError, match=r"a-seed0: .*length: 128 -> 64"):
    record.check_same(str(tmp_path), "e", later(length=64))
  record.check_same(
    str(tmp_path), "e", later(length=64, allow_change=("length",))
  )
  # A damaged file of a run that this call does not need stops nothing.
  for config in configs:
    (record.pathlib.Path(config.workdir) / "config.json").write_text("{")
  record.check_same(str(tmp_path), "e", later(length=64))


def test_another_experiment_is_refused(tmp_path):
  configs = _configs(tmp_path, 1)
  _write(tmp_path, configs)
  record.check_same(str(tmp_path), "e", configs)
  with pytest.raises(UsageError, match="holds the experiment e"):
    record.check_same(str(tmp_path), "f", configs)
  # Nothing was run yet, so another budget overwrites nothing.
  other = _configs(tmp_path, 1, budget="steps:3")
  record.check_same(str(tmp_path), "e", other)
  _finish(configs[0])
  with pytest.raises(UsageError, match=r"a-seed0: .*budget: "):
    record.check_same(str(tmp_path), "e", other)


def test_a_run_is_no_experiment(tmp_path):
  _finish(dataclasses.replace(Config(), workdir=str(tmp_path / "x")))
  with pytest.raises(UsageError, match="holds a single run"):
    record.check_same(str(tmp_path / "x"), "e", _configs(tmp_path, 1))
