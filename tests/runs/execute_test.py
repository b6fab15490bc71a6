import dataclasses
import json
import pathlib

import pytest
from fake_runs import FakeRuns

from lm_jax.config import Config
from lm_jax.runs import attempt, execute, grid, record
from lm_jax.support.errors import UsageError
from lm_jax.training.progress import duration


class Trainer(FakeRuns):
  """Fake runs, by the lists of their configurations and names."""

  def runs(self, configs):
    return list(map(self.run, configs))

  @property
  def calls(self):
    return [config.name for config in self.configs]


@pytest.fixture
def configs(tmp_path):
  arms = [Config(arm="a"), Config(arm="b", length=64)]
  return record.place(grid.cross(arms, {}, 2), str(tmp_path))


def _read(config):
  return json.loads(pathlib.Path(config.workdir, "result.json").read_text())


def test_runs_everything_once_and_then_reuses(configs, capsys):
  trainer = Trainer()
  done = {config.name: "done" for config in configs}
  assert execute.execute(trainer.runs(configs)) == done
  assert trainer.calls == ["a-seed0", "a-seed1", "b-seed0", "b-seed1"]
  lines = capsys.readouterr().err.splitlines()
  assert len(lines) == 4
  assert lines[0].startswith("[1/4] a-seed0: done after 0 s; about 0 s left")
  again = Trainer()
  assert execute.execute(again.runs(configs)) == done
  assert again.calls == []
  assert "4 of 4 runs are complete" in capsys.readouterr().err


@pytest.mark.parametrize(
  "error",
  [RuntimeError("out of\nluck"), UsageError("no such file"), KeyError()],
)
def test_a_failure_is_recorded_and_the_others_go_on(configs, error, capsys):
  trainer = Trainer({"a-seed1": error})
  statuses = execute.execute(trainer.runs(configs))
  assert list(statuses.values()) == ["done", "failed", "done", "done"]
  assert execute.exit_code(statuses) == 1
  result = _read(configs[1])
  assert result["status"] == "failed"
  assert type(error).__name__ in result["error"]
  assert "in execute" in result["traceback"]
  assert len(capsys.readouterr().err.splitlines()) == 4
  # The next call leaves it as it is, until it is told to try again.
  again = Trainer()
  same = execute.execute(again.runs(configs))
  assert (again.calls, same) == ([], statuses)
  assert "1 of 4 runs have failed before; --retry" in capsys.readouterr().err
  statuses = execute.execute(again.runs(configs), progress=False, retry=True)
  assert again.calls == ["a-seed1"]
  assert execute.exit_code(statuses) == 0
  assert _read(configs[1])["status"] == "done"
  assert capsys.readouterr().err == ""


@pytest.mark.parametrize("how", ["interrupted", KeyboardInterrupt()])
def test_an_interruption_ends_the_experiment(configs, how):
  statuses = execute.execute(Trainer({"a-seed1": how}).runs(configs))
  assert statuses == {"a-seed0": "done", "a-seed1": "interrupted"}
  assert execute.exit_code(statuses) == 75
  again = Trainer()
  execute.execute(again.runs(configs))
  assert again.calls == ["a-seed1", "b-seed0", "b-seed1"]


def test_what_has_diverged_is_not_tried_again(configs):
  first = execute.execute(Trainer({"a-seed1": "diverged"}).runs(configs))
  again = Trainer()
  assert execute.execute(again.runs(configs)) == first
  assert again.calls == []
  assert execute.exit_code(first) == 3


def test_what_may_change_is_run_again(configs):
  execute.execute(Trainer({"a-seed0": "diverged"}).runs(configs[:1]))
  changed = dataclasses.replace(
    configs[0], budget="steps:7", allow_change=("budget",)
  )
  again = Trainer()
  assert execute.execute(again.runs([changed])) == {"a-seed0": "done"}
  assert again.calls == ["a-seed0"]
  assert attempt.is_complete(changed)


def test_a_former_failure_is_forgotten_when_the_run_begins(configs):
  execute.execute(Trainer({"a-seed0": RuntimeError()}).runs(configs[:1]))
  interrupted = Trainer({"a-seed0": "interrupted"}).runs(configs[:1])
  execute.execute(interrupted, retry=True)
  assert not pathlib.Path(configs[0].workdir, "result.json").exists()


def test_only_some_runs_are_carried_out():
  names = ["mlm-seed0", "mlm-seed1", "clm-seed0"]
  assert execute.matching(names, ()) == names
  assert execute.matching(names, ["mlm-*"]) == names[:2]
  assert execute.matching(names, ["*seed0", "mlm-seed1"]) == names
  with pytest.raises(UsageError, match="--only=rtd-\\*"):
    execute.matching(names, ["rtd-*"])


def test_exit_codes():
  assert execute.exit_code({"x": "done", "y": "diverged"}) == 3
  assert execute.exit_code({"x": "failed", "y": "diverged"}) == 1
  assert execute.exit_code({"x": "failed", "y": "interrupted"}) == 75
  assert execute.exit_code({}) == 0


def test_a_damaged_result_is_named(configs):
  execute.execute(Trainer().runs(configs[:1]))
  pathlib.Path(configs[0].workdir, "result.json").write_text("{")
  with pytest.raises(UsageError, match=r"a-seed0/result\.json: damaged"):
    execute.execute(Trainer().runs(configs))


@pytest.mark.parametrize(
  ("seconds", "text"), [(41.4, "41 s"), (720, "12 min"), (12600, "3.5 h")]
)
def test_duration(seconds, text):
  assert duration(seconds) == text
