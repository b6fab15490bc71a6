"""`compare` refuses what would have no effect, or would run all of it."""

import json
import pathlib

import pytest

from lm_jax import config as config_lib
from lm_jax.commands import compare, flags
from lm_jax.config import Config
from lm_jax.support.errors import UsageError


@pytest.mark.parametrize(
  ("words", "message"),
  [
    (["--effect=2"], "--effect=2: is of --plan"),
    (["--chip=h100"], "--chip=h100: is of --plan"),
    (["--spread=1.5"], "--spread=1.5: is of --effect"),
    (["--plan", "--spread=1.5"], "--spread=1.5: is of --effect"),
    (["--plan", "--status"], "give one of the two"),
  ],
)
def test_flags_of_a_plan_start_no_runs(words, message, tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  with pytest.raises(UsageError, match=message):
    compare.main(flags.parse("compare", compare.schema(), words))
  assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("flag", ["plan", "status"])
def test_python_starts_no_runs_for_what_prints(flag):
  with pytest.raises(UsageError, match=f"--{flag}: is of the command line"):
    compare.run({flag: ["true"]}, "")


@pytest.mark.parametrize("more", [[], ["--unranked"], ["--eval=none"]])
def test_a_wrong_path_of_a_corpus_fails_no_runs(more, tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  words = ["--objectives=clm", "--data.corpus=nope/*.txt", "--branches="]
  given = flags.parse("compare", compare.schema(), [*words, *more])
  with pytest.raises(UsageError, match="--data.corpus=nope/.*no file found"):
    compare.run(given, "", progress=False)
  assert not list(tmp_path.iterdir())
  # Whoever carries them out elsewhere may have it there.
  compare.run({**given, "launcher": ["print"]}, "", progress=False)


def test_another_experiment_is_named_before_its_runs(tmp_path):
  """Else --allow_change would be advised, which does not let it pass."""
  folder = tmp_path / "runs" / "clm-seed0"
  folder.mkdir(parents=True)
  text = config_lib.to_json(config_lib.resolve(Config(length=64)))
  (folder / "config.json").write_text(text)
  runs = [{"name": "clm-seed0", "arm": "clm", "seed": 0}]
  about = json.dumps({"name": "other", "runs": runs})
  pathlib.Path(tmp_path, "experiment.json").write_text(about)
  given = {"objectives": ["clm"], "workdir": [str(tmp_path)]}
  with pytest.raises(UsageError, match="holds the experiment other; name"):
    compare.run(given, "", progress=False)
