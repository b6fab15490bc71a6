"""What machine.json keeps, and when it is said that something has changed."""

import json
import shutil
from pathlib import Path

import pytest
from tiny import pretrain, result_of

from lm_jax.storage import machines
from lm_jax.support import machine
from lm_jax.support.errors import UsageError

HERE = {"jax": "1.0", "threads": 2}
THERE = {"jax": "1.1", "threads": 2}


def test_what_changes_is_kept_by_its_step_and_said(
  tmp_path, monkeypatch, warned
):
  facts = dict(HERE)
  monkeypatch.setattr(machine, "facts", lambda: facts)
  assert machines.note(tmp_path, 0) == [{"step": 0} | HERE]
  assert machines.note(tmp_path, 10) == [{"step": 0} | HERE]
  assert not warned
  facts = dict(THERE)
  both = [{"step": 0} | HERE, {"step": 20} | THERE]
  assert machines.note(tmp_path, 20) == both
  assert len(warned) == 1
  assert "from step 20" in warned[0] and "jax: 1.0 -> 1.1" in warned[0]
  assert "threads" not in warned[0]
  # Again, from where it was; and from before, as where a step was damaged.
  assert machines.note(tmp_path, 20) == both == machines.read(tmp_path)
  assert machines.note(tmp_path, 15) == [both[0], both[1] | {"step": 15}]
  assert machines.note(tmp_path, 0) == [{"step": 0} | THERE]


def test_an_older_run_has_none_and_nothing_is_said(tmp_path, warned):
  assert machines.read(tmp_path) == []
  machines.use_threads(tmp_path)
  machines.use_threads("")
  assert [x["step"] for x in machines.note(tmp_path, 7)] == [7]
  assert not warned


@pytest.mark.parametrize(
  "text", ["", "{}", "[1]", '[{"step": 0}]', '[{"step": 0, "threads": 0}]']
)
def test_a_damaged_file_is_named(text, tmp_path):
  (tmp_path / machines.FILE).write_text(text, encoding="utf-8")
  with pytest.raises(UsageError, match=r"machine\.json: damaged.*remove it"):
    machines.use_threads(tmp_path)


def test_a_run_keeps_it_and_goes_on_by_others(
  finished, tiny, tmp_path, warned, monkeypatch
):
  first = machines.read(finished.workdir)
  assert [x["step"] for x in first] == [0]
  assert result_of(finished)["machines"] == first
  workdir = tmp_path / "run"
  shutil.copytree(finished.workdir, workdir)
  (workdir / "result.json").unlink()
  other = [first[0] | {"jax": "0.1"}]
  Path(workdir, machines.FILE).write_text(json.dumps(other), encoding="utf-8")
  result = pretrain(tiny.config(workdir))
  assert result["digest"] == result_of(finished)["digest"]
  assert [x["step"] for x in result["machines"]] == [0, 6]
  assert any("goes on from step 6 by others (jax: 0.1 ->" in x for x in warned)
