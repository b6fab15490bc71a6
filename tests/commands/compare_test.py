"""`compare` refuses what would have no effect, or would run all of it."""

import pytest

from lm_jax.commands import compare, flags
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
