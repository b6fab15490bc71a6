import os

import apart
import pytest

from lm_jax import config as config_lib
from lm_jax.config import Config
from lm_jax.storage import workdir
from lm_jax.storage.checkpoint import Checkpoints
from lm_jax.support import cache
from lm_jax.support.errors import UsageError


def test_check_writes_nothing_and_create_makes_parents(tmp_path):
  path = tmp_path / "a" / "b"
  workdir.check(str(path))
  assert not path.exists()
  workdir.create(str(path))
  workdir.create(str(path))
  assert list(path.iterdir()) == []


def test_a_file_in_the_way(tmp_path):
  (tmp_path / "file").write_text("")
  for path in (tmp_path / "file", tmp_path / "file" / "x"):
    with pytest.raises(UsageError, match="is not a directory"):
      workdir.check(str(path))


def test_no_permission(tmp_path, monkeypatch):
  # Permission bits don't bind root, so the answer is made up.
  monkeypatch.setattr(os, "access", lambda *_: False)
  with pytest.raises(UsageError, match="can't be written"):
    workdir.check(str(tmp_path / "x"))


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="needs /proc")
def test_what_permissions_promise_may_still_fail():
  with pytest.raises(UsageError, match=r"--workdir=/proc/x: can't be written"):
    workdir.create("/proc/x")


def test_another_configuration_is_refused(tmp_path):
  config = Config(workdir=str(tmp_path))
  workdir.check_same(config)
  (tmp_path / "config.json").write_text(config_lib.to_json(config))
  workdir.check_same(config)
  with pytest.raises(UsageError, match=r"\(length: 128 -> 64; seed: 0 -> 1\)"):
    workdir.check_same(Config(workdir=str(tmp_path), seed=1, length=64))


def test_an_experiment_is_no_run(tmp_path):
  (tmp_path / "experiment.json").write_text("{}")
  with pytest.raises(UsageError, match="holds an experiment"):
    workdir.check_same(Config(workdir=str(tmp_path)))


def test_a_name_that_is_no_text_is_refused_before_anything_is_made(tmp_path):
  name = os.fsdecode(os.fsencode(tmp_path) + b"/lc\xff/run")
  for refused in (
    lambda: workdir.check(name),
    lambda: Checkpoints(name),
    lambda: cache.root(name),
  ):
    with pytest.raises(UsageError, match=r"udcff/run is no text in this loc"):
      refused()
  assert not list(tmp_path.iterdir())


def test_a_locale_of_ascii_is_one_line(tmp_path):
  """As a batch system may have it; the directory's name is UTF-8."""
  words = ("train", "--objective=clm", f"--workdir={tmp_path}/lcé")
  ascii_ = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
  done = apart.python("-m", "lm_jax", *words, code=2, **ascii_)
  assert len(done.stderr.splitlines()) == 1, done.stderr
  assert done.stderr.startswith("lm_jax: --workdir=")
  assert not list(tmp_path.iterdir())
