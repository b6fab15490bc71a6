import json
import os
import pathlib
import time

import jax.numpy as jnp
import pytest
import run_directories

from lm_jax import cli
from lm_jax.report import collect
from lm_jax.storage import lock
from lm_jax.storage.checkpoint import Checkpoints


@pytest.fixture(autouse=True)
def somewhere(tmp_path, monkeypatch):
  """Runs in a directory of its own, with a model and what depends on it."""
  monkeypatch.chdir(tmp_path)
  root = pathlib.Path("runs")
  run_directories.run(root / "base")
  run_directories.run(root / "tuned", task="sst2", model="runs/base")
  run_directories.run(root / "bad", "failed", objective="rtd")
  statuses = {"clm": "done", "mlm": "done"}
  run_directories.experiment(root / "exp", statuses)
  old = time.time() - 40 * 86400
  for path in (root / "bad").iterdir():
    os.utime(path, (old, old))
  return root


def call(capsys, *words, code=0):
  """What a command prints, or says on one line where it fails."""
  assert cli.main(["runs", *words]) == code
  out, err = capsys.readouterr()
  if not code:
    assert err == ""
    return out
  assert err.startswith("lm_jax: ") and err.count("\n") == 1
  return err


def listed(capsys, *words):
  out = call(capsys, *words, "--format=json")
  return [one["name"] for one in json.loads(out)]


def names(root):
  return sorted(path.name for path in root.iterdir())


def test_lists_filters_and_sorts(capsys, somewhere):
  everything = ["bad", "base", "exp", "tuned"]
  assert listed(capsys, "--sort=name") == everything
  assert listed(capsys)[-1] == "bad"  # the last changed first
  assert listed(capsys, "--older=30d") == ["bad"]
  assert listed(capsys, "--status=failed,not_started") == ["bad"]
  assert listed(capsys, "--objective=rtd") == ["bad"]
  assert listed(capsys, "--kind=finetuning") == ["tuned"]
  assert listed(capsys, "--name=b*", "--sort=name") == ["bad", "base"]
  assert listed(capsys, "base", "exp", "--sort=name") == ["base", "exp"]
  (somewhere / "exp" / "large").write_bytes(bytes(2**20))
  assert listed(capsys, "--larger=1MB") == ["exp"]
  assert listed(capsys, "--sort=size")[0] == "exp"
  members = listed(capsys, "--members", "--objective=mlm", "--sort=name")
  assert members == ["exp", "exp/runs/mlm-seed0"]
  within = listed(capsys, "--workdir=runs/exp", "--sort=name")
  assert within == ["runs/clm-seed0", "runs/mlm-seed0"]
  text = call(capsys, "exp")
  assert "exp   experiment  done    clm, mlm     2/2 runs" in text
  rows = call(capsys, "--format=csv", "--sort=name").splitlines()
  assert len(rows) == 5 and rows[1].startswith("bad,")


@pytest.mark.parametrize(
  ("words", "message"),
  [
    (["--workdir=nowhere"], "--workdir=nowhere: is no directory"),
    (["--status=dnoe"], "--status=dnoe: unknown; did you mean done?"),
    (["--kind=runs"], "--kind=runs: unknown; did you mean run?"),
    (["--older=often"], "--older=often: must be a number and a unit"),
    (["--larger=1XB"], "--larger=1XB: must be a number and a unit"),
    (["--sort=age"], "--sort=age: unknown. Valid: date, size, name"),
    (["--trash"], "--trash: needs names, paths or globs"),
    (["--checkpoints"], "--checkpoints: needs names"),
    (["--trash", "--remove", "base"], "give one of the two"),
    (["--yes"], "--yes: is for --remove, --checkpoints"),
    (["--dry_run"], "--dry_run: is for --trash, --restore"),
    (["--trash", "base", "--yes"], "--yes: is for"),
    (["--trash", "base", "--format=json"], "--format: is for"),
    (["--restore=base", "other"], "other: give --restore=other"),
    (["--restore=base"], "--restore=base: nothing in the trash"),
    (["--remove", "nothing"], "nothing: is neither in the trash"),
    (["--remove", "b*", "--yes"], "globs are of the trash only"),
    (["--trash", "base"], "base: tuned needs it"),
    (["--trash", "."], ".: is the directory that is listed"),
    (["--trash", "runs"], "runs: is the directory that is listed"),
    (["--names=\x1b[31m"], "\\x1b[31m: matches nothing that is"),
  ],
)
def test_bad_usage_moves_nothing(capsys, somewhere, words, message):
  assert message in call(capsys, *words, code=2)
  assert names(somewhere) == ["bad", "base", "exp", "tuned"]


def test_trash_and_back(capsys, somewhere):
  out = call(capsys, "--trash", "b*", "tuned", "--dry_run")
  assert out.count("would move") == 3
  assert names(somewhere) == ["bad", "base", "exp", "tuned"]
  out = call(capsys, "--trash", "b*", "tuned", "--status=done")
  assert "moved base (run, " in out
  assert names(somewhere) == [".trash", "bad", "exp"]
  assert listed(capsys, "--sort=name") == ["bad", "exp"]
  assert "in the trash: 2" in call(capsys)
  trashed = json.loads(call(capsys, "--trashed", "--format=json"))
  assert {one["origin"] for one in trashed} == {"base", "tuned"}
  run_directories.run(somewhere / "base", "failed")
  assert "is there by now" in call(
    capsys, "--restore=base", "--restore=tuned", code=2
  )
  assert not (somewhere / "tuned").exists()  # all or none
  call(capsys, "--restore=tuned")
  call(capsys, "--trash", "base", "--force")
  assert "more than once" in call(capsys, "--restore=base", code=2)
  [first, _] = json.loads(call(capsys, "--trashed", "--format=json"))
  call(capsys, f"--restore={first['name']}")
  result = json.loads((somewhere / "base" / "result.json").read_text())
  assert result["status"] == "done"


def test_all_that_is_listed_may_be_nothing(capsys, somewhere):
  out = call(capsys, "--trash", "*", "--status=diverged")
  assert out == "nothing to move\n"
  said = call(capsys, "--trash", "*", "x*", code=2)
  assert "x*: matches nothing that is listed" in said
  assert names(somewhere) == ["bad", "base", "exp", "tuned"]


def test_a_trashed_run_of_an_experiment_is_missing(capsys, somewhere):
  call(capsys, "--trash", "runs/exp/runs/mlm-seed0")
  runs = {run.name: run.status for run in collect.load("runs/exp").runs}
  assert runs == {"clm-seed0": "done", "mlm-seed0": "not started"}
  assert "1/2 runs" in call(capsys, "exp")
  call(capsys, "--restore=exp/runs/mlm-seed0")
  assert "2/2 runs" in call(capsys, "exp")
  # The experiment and its runs: the whole is moved once.
  out = call(capsys, "--trash", "*", "--members", "--name=*exp*", "--dry_run")
  assert out.count("would move") == 1
  out = call(capsys, "--trash", "exp*", "--members")
  assert out.count("moved ") == 1


def test_what_runs_stays(capsys, somewhere):
  with lock.hold("runs/exp/runs/mlm-seed0"):
    for words in (["--trash", "exp", "bad"], ["--remove", "exp", "--yes"]):
      said = call(capsys, *words, code=2)
      assert f"in use by process {os.getpid()}" in said
    said = call(capsys, "--checkpoints", "exp", "--yes")
    assert "exp/runs/mlm-seed0: is running, so that all stay" in said
  assert names(somewhere) == ["bad", "base", "exp", "tuned"]


def test_remove_says_what_and_needs_a_yes(capsys, somewhere):
  assert cli.main(["runs", "--remove", "bad"]) == 2
  out, err = capsys.readouterr()
  assert out.startswith("would delete bad (run, ")
  assert "nothing is deleted without --yes" in err
  call(capsys, "--trash", "tuned")
  out = call(capsys, "--remove", "--dry_run")
  assert out.count("would delete") == 2 and "-tuned" in out
  assert "bad" in names(somewhere)
  assert "deleted bad" in call(capsys, "--remove", "bad", "--yes")
  assert "nothing to delete" in call(capsys, "--remove", "--yes", "--older=1h")
  run_directories.run(somewhere / "tuned")
  said = call(capsys, "--remove", "tuned", "--yes", code=2)
  assert "give the path of the one, runs/tuned, or" in said
  assert "-tuned" in call(capsys, "--remove", "--yes")
  assert names(somewhere) == ["base", "exp", "tuned"]
  call(capsys, "--remove", "runs/tuned", "runs/base", "--yes")
  assert names(somewhere) == ["exp"]


def test_what_is_interrupted_is_not_half_there(capsys, somewhere, monkeypatch):
  def interrupted(path, **_):
    raise KeyboardInterrupt

  with monkeypatch.context() as patch:
    patch.setattr("shutil.rmtree", interrupted)
    assert cli.main(["runs", "--remove", "bad", "--yes"]) == 75
  capsys.readouterr()
  assert listed(capsys, "--sort=name") == ["base", "exp", "tuned"]
  assert json.loads(call(capsys, "--trashed", "--format=json")) == []
  call(capsys, "--remove", "--yes")
  assert names(somewhere) == ["base", "exp", "tuned"]


def test_others_within_are_not_taken_along(capsys, somewhere):
  run_directories.run(somewhere / "tuned" / "further" / "one")
  said = call(capsys, "--trash", "tuned", code=2)
  assert "tuned: holds tuned/further/one, no part of it" in said
  call(capsys, "--trash", "tuned", "--force")
  assert listed(capsys, "--sort=name") == ["bad", "base", "exp"]
  # A page on an experiment, and the trials of its tuning, are part of it.
  page = somewhere / "exp" / "with-other"
  page.mkdir()
  (page / "joined.json").write_text('{"experiments": ["..", "../../other"]}')
  run_directories.run(somewhere / "exp" / "tuning" / "clm-trial0")
  within = listed(capsys, "--workdir=runs/exp", "--kind=run", "--sort=name")
  assert within[-1] == "tuning/clm-trial0"
  call(capsys, "--trash", "exp")


def test_names_of_anybody_are_shown_on_one_line(capsys, somewhere):
  run_directories.run(somewhere / "a\n\x1b[31mred")
  text = call(capsys, "--name=a*")
  assert "a\\n\\x1b[31mred  run" in text and "\x1b" not in text
  assert call(capsys, "--trash", "a*").count("\n") == 1
  assert "\x1b" not in call(capsys, "--trashed")
  call(capsys, "--restore=a\n\x1b[31mred")


def test_checkpoints_of_finished_runs(capsys, somewhere):
  state = {"params": {"kernel": jnp.arange(2000.0)}}
  folders = [somewhere / "base", somewhere / "exp" / "runs" / "clm-seed0"]
  folders.append(folders[0] / "branches" / "steps-5")
  run_directories.run(folders[-1])
  for folder in folders:
    with Checkpoints(folder / "checkpoints", keep_last=9) as checkpoints:
      for step in (3, 6, 9):
        checkpoints.save(step, state, {})
  assert cli.main(["runs", "--checkpoints", "base", "exp"]) == 2
  out, err = capsys.readouterr()
  assert "would delete base: checkpoints 3, 6; 9 stays (" in out
  assert "would delete base/branches/steps-5: checkpoints 3, 6" in out
  assert "3 runs" in err and "nothing is deleted without --yes" in err
  assert len(names(folders[0] / "checkpoints")) == 3
  out = call(capsys, "--checkpoints", "base", "exp", "--yes")
  assert out.count("deleted ") == 3
  for folder in folders:
    assert names(folder / "checkpoints") == ["9"]
    assert (folder / "result.json").exists()
  assert "nothing to delete" in call(capsys, "--checkpoints", "*", "--dry_run")
