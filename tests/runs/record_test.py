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
