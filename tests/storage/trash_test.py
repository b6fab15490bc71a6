import json
import os
import pathlib
import shutil
import time

import pytest

from lm_jax.storage import trash
from lm_jax.support.errors import UsageError


def _made(path, text="x"):
  path.mkdir(parents=True)
  (path / "file").write_text(text)
  return path


def test_what_is_moved_comes_back_as_it_was(tmp_path):
  path = _made(tmp_path / "a b\nc", "mine")
  inode = path.stat().st_ino
  item = trash.move(path, {"kind": "run"})
  assert not path.exists()
  assert item.path.parent == tmp_path / ".trash"
  assert item.path.stat().st_ino == inode  # renamed, not copied
  assert trash.items(tmp_path / ".trash") == [item]
  assert (item.name, item.about) == ("a b\nc", {"kind": "run"})
  assert trash.restore(item) == path
  assert (path / "file").read_text() == "mine"
  assert os.listdir(tmp_path) == ["a b\nc"]  # an empty trash is taken away


def test_two_of_one_name_are_kept_apart(tmp_path):
  moved = [
    trash.move(_made(tmp_path / ("n" * 240), str(i)), {}) for i in range(3)
  ]
  assert len({item.path for item in moved}) == 3
  trash.restore(moved[1])
  with pytest.raises(UsageError, match="is there by now"):
    trash.restore(moved[0])
  assert (tmp_path / ("n" * 240) / "file").read_text() == "1"
  assert trash.items(tmp_path / ".trash") == [moved[0], moved[2]]


def test_links_are_neither_moved_nor_followed(tmp_path):
  kept = _made(tmp_path / "kept")
  (tmp_path / "link").symlink_to(kept)
  with pytest.raises(UsageError, match="is no directory, or a link"):
    trash.move(tmp_path / "link", {})
  run = _made(tmp_path / "runs" / "one")
  (tmp_path / "runs" / ".trash").symlink_to(kept)
  with pytest.raises(UsageError, match="a folder was expected"):
    trash.move(run, {})
  assert trash.items(tmp_path / "runs" / ".trash") == []
  (tmp_path / "runs" / ".trash").unlink()
  (run / "out").symlink_to(kept)
  trash.delete(trash.move(run, {}))
  assert os.listdir(tmp_path / "runs") == []
  assert (kept / "file").exists()


@pytest.mark.parametrize("name", ["../../x", "/etc", "", ".", "..", ".trash"])
def test_a_record_leads_nowhere_else(tmp_path, name):
  item = trash.move(_made(tmp_path / "one"), {})
  record = item.path.with_name(item.path.name + ".json")
  record.write_text(json.dumps(json.loads(record.read_text()) | {"name": name}))
  assert trash.items(tmp_path / ".trash") == []


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError(30, "read-only")])
def test_an_interrupted_move_leaves_nothing(tmp_path, monkeypatch, error):
  path = _made(tmp_path / "one")

  def rename(self, target):
    raise error

  monkeypatch.setattr(pathlib.Path, "rename", rename)
  with pytest.raises((KeyboardInterrupt, UsageError)):
    trash.move(path, {})
  assert (path / "file").exists()
  assert os.listdir(tmp_path / ".trash") == []


def test_what_is_half_deleted_is_no_longer_there(tmp_path, monkeypatch):
  item = trash.move(_made(tmp_path / "one"), {})
  with monkeypatch.context() as patch:

    def interrupted(path, **_):
      assert path != item.path
      raise KeyboardInterrupt

    patch.setattr(shutil, "rmtree", interrupted)
    with pytest.raises(KeyboardInterrupt):
      trash.delete(item)
  assert trash.items(tmp_path / ".trash") == []
  assert len(os.listdir(tmp_path / ".trash")) == 1
  trash.delete_halves(tmp_path / ".trash")
  assert os.listdir(tmp_path) == []


def test_records_without_a_directory_go_once_they_are_old(tmp_path):
  item = trash.move(_made(tmp_path / "one"), {})
  record = item.path.with_name(item.path.name + ".json")
  own = tmp_path / ".trash" / "own.json"
  own.write_text('{"my": "notes"}')
  shutil.rmtree(item.path)
  trash.delete_halves(tmp_path / ".trash")
  assert record.exists()  # another process may be about to move it
  old = time.time() - 3600
  os.utime(record, (old, old))
  os.utime(own, (old, old))
  trash.delete_halves(tmp_path / ".trash")
  assert not record.exists() and own.exists()
