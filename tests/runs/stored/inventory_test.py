import json
import os

import pytest
import run_directories

from lm_jax.runs.stored import entry, inventory, listing, named
from lm_jax.storage import lock
from lm_jax.support.errors import UsageError


def _by_name(root):
  return {one.name: one for one in inventory.search(root).entries}


def test_each_kind_is_known_by_its_own_files(tmp_path):
  run_directories.run(tmp_path / "a" / "mlm", objective="mlm", arm="mlm")
  run_directories.run(tmp_path / "ft", "interrupted", task="sst2", step=5)
  run_directories.run(tmp_path / "imported", arm="import")
  run_directories.run(tmp_path / "begun", status="")
  run_directories.experiment(
    tmp_path / "exp", {"clm": "done", "rtd": "failed", "mlm": None}
  )
  run_directories.run(tmp_path / "exp" / "tuning" / "clm-seed0", "failed")
  (tmp_path / "failed").mkdir()
  failure = {"status": "failed", "error": "boom", "objective": "rtd"}
  (tmp_path / "failed" / "result.json").write_text(json.dumps(failure))
  (tmp_path / "importing").mkdir()
  (tmp_path / "importing" / "import.unfinished").touch()
  evaluation = {"model": {"objective": "clm"}, "results": [{"task": "blimp"}]}
  (tmp_path / "eval").mkdir()
  (tmp_path / "eval" / "results.json").write_text(json.dumps(evaluation))
  cells = [{"arm": "bert", "runs": ["b-0", "b-1"], "trials": ["b-0"]}]
  protocol = {"cells": cells, "models": {"bert": ["runs/bert"]}}
  run_directories.run(tmp_path / "prot" / "runs" / "b-0", task="sst2")
  (tmp_path / "prot" / "protocol.json").write_text(json.dumps(protocol))
  known = _by_name(tmp_path)
  assert {name: (one.kind, one.status) for name, one in known.items()} == {
    "a/mlm": ("run", "done"),
    "ft": ("finetuning", "interrupted"),
    "imported": ("import", "done"),
    "begun": ("run", "unfinished"),
    "exp": ("experiment", "failed"),
    "failed": ("run", "failed"),
    "importing": ("import", "unfinished"),
    "eval": ("evaluation", "done"),
    "prot": ("protocol", "not started"),
  }
  assert (known["exp"].done, known["exp"].planned) == (1, 3)
  assert known["exp"].arms == ("clm", "rtd", "mlm")
  assert known["exp"].objectives == ("clm", "rtd")
  assert [one.name for one in known["exp"].members] == [
    "exp/runs/clm-seed0", "exp/runs/rtd-seed0", "exp/tuning/clm-seed0",
  ]  # fmt: skip
  assert (known["prot"].done, known["prot"].planned) == (1, 2)
  assert known["prot"].uses == ("runs/bert",)
  assert (known["ft"].step, known["ft"].share) == (5, 0.25)
  assert known["begun"].step == 10  # by its log, whose last line is cut short
  assert known["failed"].error == "boom"


@pytest.mark.parametrize(
  ("file", "content"),
  [
    ("config.json", '{"model_type": "bert", "objective": "mlm"}'),
    ("config.json", "[]"),
    ("result.json", '{"status": "done"}'),
    ("result.json", '{"status": "ready", "error": null}'),
    ("notes.json", "{}"),
  ],
)
def test_what_others_wrote_is_none_of_ours(tmp_path, file, content):
  (tmp_path / "x").mkdir()
  (tmp_path / "x" / file).write_text(content)
  (tmp_path / "x" / "metrics.jsonl").write_text('{"step": 1}\n')
  assert _by_name(tmp_path) == {}


@pytest.mark.parametrize(
  ("file", "content"),
  [
    ("experiment.json", '{"runs": []}'),
    ("experiment.json", "{"),
    ("results.json", '{"model": "x"}'),
    ("protocol.json", '{"cells": 3}'),
    ("paired.json", "{}"),
  ],
)
def test_what_may_be_of_others_is_said_to_be(tmp_path, file, content):
  (tmp_path / "x").mkdir()
  (tmp_path / "x" / file).write_text(content)
  [one] = _by_name(tmp_path).values()
  assert (one.status, one.certain) == ("unreadable", False)


def test_links_are_named_and_not_followed(tmp_path):
  outside = run_directories.run(tmp_path / "outside")
  root = tmp_path / "runs"
  run_directories.run(root / "mine")
  (root / "link").symlink_to(outside)
  (root / "mine" / "checkpoints").symlink_to(tmp_path)
  (root / "fake").mkdir()
  (root / "fake" / "config.json").symlink_to(outside / "config.json")
  (tmp_path / "way").symlink_to(root)
  known = inventory.search(tmp_path / "way")
  assert [one.name for one in known.entries] == ["mine"]
  assert known.links == ["link", "mine/checkpoints"]
  (outside / "large").write_bytes(bytes(2**20))
  assert inventory.use_of(root / "mine").size < 2**19


def test_sizes_count_a_file_of_two_names_once(tmp_path):
  run = run_directories.run(tmp_path / "run")
  small = inventory.use_of(run)
  (run / "a").write_bytes(b"x" * 2**20)
  os.link(run / "a", run / "b")
  os.utime(run / "a", (2e9, 2e9))
  use = inventory.use_of(run)
  assert 2**20 <= use.size - small.size < 2**20 + 2**16
  assert (use.changed, use.locks) == (2e9, (run,))


def test_who_holds_a_run_is_seen_without_disturbing_it(tmp_path):
  root = run_directories.experiment(tmp_path / "exp", {"clm": "done"})
  run = root / "runs" / "clm-seed0"
  with lock.hold(run):
    assert _by_name(tmp_path)["exp"].status == "running"
    assert lock.holder(run) == (run / "lock").read_text().strip()
    with (
      pytest.raises(lock.Held, match="in use by process"),
      lock.keep_out(run),
    ):
      pass
  assert _by_name(tmp_path)["exp"].status == "done"
  (run / "lock").write_text("process 3 on this machine, killed")
  assert lock.holder(run) == ""
  with pytest.raises(UsageError, match="--force"), lock.keep_out(run):
    pass
  with (
    lock.keep_out(run, force=True),
    pytest.raises(lock.Held),
    lock.hold(run),
  ):
    pass
  assert (run / "lock").read_text().endswith("killed")


def test_a_directory_that_moves_under_a_lock_is_made_anew(
  tmp_path, monkeypatch
):
  run = run_directories.run(tmp_path / "run")
  real, moved = lock.fcntl.flock, []

  def flock(file, how):
    if not moved:
      moved.append(run.rename(tmp_path / "trash"))
    return real(file, how)

  monkeypatch.setattr(lock.fcntl, "flock", flock)
  with lock.hold(run):
    assert "process" in (run / "lock").read_text()
    assert (tmp_path / "trash" / "lock").read_text() == ""


def test_dependents_are_found_by_any_path_to_their_model(tmp_path, monkeypatch):
  root = tmp_path / "runs"
  for name in ("base", "other", "exp/runs/clm-seed0"):
    run_directories.run(root / name)
  uses = {
    "absolute": {"model": str(root / "base")},
    "relative": {"model": "runs/base"},
    "through": {"model": str(root / "absolute" / ".." / "base")},
    "tokens": {"model": "bert-base"},
  }
  for name, options in uses.items():
    run_directories.run(root / name, task="sst2", **options)
  path = root / "tokens" / "config.json"
  tree = json.loads(path.read_text())
  tree["data"]["tokenizer"] = str(root / "other" / "tokenizer.json")
  path.write_text(json.dumps(tree))
  monkeypatch.chdir(root)  # not where they were called from
  known = inventory.search(root)
  base, other = root / "base", root / "other"
  assert inventory.dependents(known, [base, other]) == {
    str(base): ["absolute", "relative", "through"],
    str(other): ["tokens"],
  }
  going = [base, root / "absolute", root / "relative", root / "through"]
  assert inventory.dependents(known, going) == {}


def _named(root, *names, listed=None):
  known = inventory.search(root)
  listed = known.entries if listed is None else listed
  return [one.name for one in named.entries(names, known, listed, str(root))]


def test_names_paths_and_globs(tmp_path, monkeypatch):
  root = tmp_path / "runs"
  for name in ("a[1]", "a1", "group/a2"):
    run_directories.run(root / name)
  run_directories.experiment(root / "exp", {"clm": "done", "mlm": "done"})
  monkeypatch.chdir(tmp_path)
  assert _named(root, "a[1]") == ["a[1]"]  # a name before it is a glob
  assert _named(root, "a*", "a1") == ["a1", "a[1]", "group/a2"]
  assert _named(root, "*/a2") == ["group/a2"]
  assert _named(root, "runs/exp/runs/clm-seed0/") == ["exp/runs/clm-seed0"]
  assert _named(root, "exp/../a1") == ["a1"]
  with pytest.raises(UsageError, match="matches nothing that is listed"):
    _named(root, "*-seed0")  # the runs of experiments are not listed
  with pytest.raises(UsageError, match="the filters leave it out"):
    _named(root, "a1", listed=[])
  (root / "link").symlink_to("a1")
  (root / "file").touch()
  for name, why in {
    **{"..": "not below", "runs": "is the directory that is listed"},
    **{"/etc": "not below", "": "not below", "group": "holds no run"},
    **{"a1/../../x": "not below", "file": "is a file", "a\0b": "not below"},
    **{"link": "is a link", "link/checkpoints": "is a link"},
    **{"runs/.trash/x": "is in the trash"},
  }.items():
    with pytest.raises(UsageError, match=why):
      _named(root, name)


@pytest.mark.parametrize(
  ("text", "value"), [("1GB", 1e9), ("1.5 MiB", 1.5 * 2**20), ("20", 20)]
)
def test_sizes(text, value):
  assert listing.parse_size(text, "larger") == value


def test_ages_and_what_is_none():
  assert listing.parse_age("2w", "older") == 14 * 86400
  for text in ("", "d", "-1d", "1y", "1e3d", "\u0661d", "nan"):
    with pytest.raises(UsageError, match="must be a number and a unit"):
      listing.parse_age(text, "older")


def test_statuses_are_those_that_entries_may_have():
  assert set(entry.STATUSES) == {
    *("running", "done", "failed", "diverged", "interrupted", "unfinished"),
    *("not started", "unreadable"),
  }
