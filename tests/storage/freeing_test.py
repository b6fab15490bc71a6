import os

import jax
import jax.numpy as jnp
import pytest

from lm_jax.storage import freeing
from lm_jax.storage.checkpoint import Checkpoints
from lm_jax.support.errors import UsageError

STATE = {"params": {"kernel": jnp.arange(3000.0)}}
ABSTRACT = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype), STATE)


def _saved(run, steps, meta=None):
  with Checkpoints(run / "checkpoints", keep_last=9) as checkpoints:
    for step in steps:
      checkpoints.save(step, STATE, meta or {})
  return run


def _damage(run, step):
  folder = run / "checkpoints" / str(step) / "state"
  files = [path for path in folder.rglob("*") if path.is_file()]
  path = max(files, key=lambda path: path.stat().st_size)
  data = bytearray(path.read_bytes())
  data[len(data) // 2] ^= 1
  path.write_bytes(data)


def test_the_last_one_stays_and_is_read(tmp_path):
  run = _saved(tmp_path, [2, 4, 6])
  leftover = run / "checkpoints" / "8.orbax-checkpoint-tmp"
  leftover.mkdir()
  planned = freeing.plan(run, chosen=False)
  assert (planned.kept, planned.freed) == ((6,), (2, 4))
  assert planned.leftovers == (leftover,)
  freeing.free(planned)
  assert os.listdir(run / "checkpoints") == ["6"]
  with Checkpoints(run / "checkpoints", read_only=True) as checkpoints:
    state, _ = checkpoints.restore(ABSTRACT)
  assert (state["params"]["kernel"] == STATE["params"]["kernel"]).all()
  assert freeing.plan(run, chosen=False).paths == []


def test_a_damaged_last_one_is_not_what_stays_alone(tmp_path):
  run = _saved(tmp_path, [2, 4, 6])
  _damage(run, 6)
  planned = freeing.plan(run, chosen=False)
  assert (planned.kept, planned.freed) == ((4, 6), (2,))
  for step in (2, 4):
    _damage(run, step)
  with pytest.raises(UsageError, match="no checkpoint can be read"):
    freeing.plan(run, chosen=False)


def test_the_best_one_of_fine_tuning_stays(tmp_path):
  run = _saved(tmp_path, [2, 4, 6], {"curve": [[2, 0.5], [4, 0.9], [6, 0.7]]})
  assert freeing.plan(run, chosen=True).kept == (4, 6)
  assert freeing.plan(run, chosen=False).kept == (6,)


def test_what_is_half_deleted_is_no_step(tmp_path, monkeypatch):
  run = _saved(tmp_path, [2, 4])

  def interrupted(path):
    raise KeyboardInterrupt

  with monkeypatch.context() as patch:
    patch.setattr(freeing.shutil, "rmtree", interrupted)
    with pytest.raises(KeyboardInterrupt):
      freeing.free(freeing.plan(run, chosen=False))
  with Checkpoints(run / "checkpoints", read_only=True) as checkpoints:
    assert checkpoints.steps() == [4]
  freeing.free(freeing.plan(run, chosen=False))
  assert os.listdir(run / "checkpoints") == ["4"]


def test_links_stay(tmp_path):
  run = _saved(tmp_path / "run", [2, 4])
  (tmp_path / "other").mkdir()
  (run / "checkpoints" / "trash").symlink_to(tmp_path / "other")
  with pytest.raises(UsageError, match="trash is a link"):
    freeing.free(freeing.plan(run, chosen=False))
  assert {"2", "4"} <= set(os.listdir(run / "checkpoints"))
  (tmp_path / "linked").mkdir()
  (tmp_path / "linked" / "checkpoints").symlink_to(run / "checkpoints")
  assert freeing.plan(tmp_path / "linked", chosen=False) is None
