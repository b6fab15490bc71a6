"""The command of a run makes that run."""

import dataclasses
import shlex

import pytest

from lm_jax import config as config_lib
from lm_jax.config import Config, overrides
from lm_jax.runs import run_command


def _given(command):
  words = shlex.split(command)
  flags = [word for word in words if word.startswith("--")]
  assert words[: -len(flags)] == ["python", "launch.py", "train"]
  pairs = (flag.removeprefix("--").partition("=") for flag in flags)
  return {path: text for path, _, text in pairs}


@pytest.mark.parametrize(
  "settings",
  [
    {},
    {"objective": "mlm", "objective.rate": "0.3", "size": "tiny"},
    {"objective": "mlm", "trunk.preset": "bert", "trunk.dropout": "0.1"},
    {"phases": "clm:0.5,mlm(rate=0.3):0.5"},
    {"seed": "3", "seed.order": "4", "budget": "tokens:4e5"},
    {"size": "nano", "trunk.windows": "8,0", "trunk.tied": "false"},
    {"data.corpus": "my texts/*.txt", "optimizer.schedule": "wsd"},
  ],
  ids=lambda settings: ",".join(settings) or "defaults",
)
def test_the_command_makes_the_same_run(settings, monkeypatch, tmp_path):
  monkeypatch.setattr("sys.argv", ["launch.py"])
  asked = overrides.override(Config(), settings)
  asked = dataclasses.replace(asked, name="x-seed0", arm="x", workdir="runs/x")
  (tmp_path / "config.json").write_text(
    config_lib.to_json(config_lib.resolve(asked))
  )
  known = run_command.read(tmp_path)
  given = _given(known.command)
  made = dataclasses.replace(
    overrides.override(Config(), given), name="x-seed0", arm="x"
  )
  assert config_lib.flat(made) == config_lib.flat(asked)
  assert "optimizer.beta1" not in given and "workdir" in given
  assert set(known.settings) <= set(given)


def test_a_damaged_run_has_no_recipe(tmp_path):
  assert run_command.read(tmp_path) is None
  (tmp_path / "config.json").write_text('{"objective": "no such"}')
  assert run_command.read(tmp_path) is None
