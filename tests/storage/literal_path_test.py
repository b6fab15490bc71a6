"""Directories whose names are patterns, or addresses, to a library."""

import os
import pathlib

import jax
import jax.numpy as jnp
import pytest

from lm_jax.storage import steps
from lm_jax.storage.checkpoint import Checkpoints
from lm_jax.storage.literal_path import literal
from lm_jax.support import cache
from lm_jax.support.errors import UsageError


def _state(value):
  return {"a": jnp.full(5, value), "b": jnp.int32(1)}


def _restored(directory):
  abstract = jax.eval_shape(lambda: _state(0.0))
  with Checkpoints(directory, read_only=True) as checkpoints:
    state, _ = checkpoints.restore(abstract)
  return float(state["a"][3])


@pytest.mark.parametrize(
  "name",
  ["exp[1]", "[!a]*", "a?", "**", "x[", "{SPLIT}", "%s%d", "a:b=c,d", "a\nb"],
)
def test_a_step_restores_whatever_its_directory_is_called(name, tmp_path):
  # What `name` would match as a pattern has another value.
  for other, value in (("exp1", 1.0), ("b1", 2.0), ("ab", 3.0), (name, 4.0)):
    if other == name or "*" in name:
      with Checkpoints(tmp_path / other / "checkpoints") as checkpoints:
        checkpoints.save(1, _state(value), {})
        checkpoints.save(2, _state(value), {})
  assert _restored(tmp_path / name / "checkpoints") == 4.0


def test_what_orbax_did_not_merge_is_a_failed_save(tmp_path, monkeypatch):
  monkeypatch.setattr(steps, "literal", lambda path: path)
  checkpoints = Checkpoints(tmp_path / "exp[1]")
  checkpoints.save(1, _state(1.0), {})
  with pytest.raises(RuntimeError, match="was not written whole"):
    checkpoints.wait()
  checkpoints.close()


def test_a_path_is_no_address_of_cloud_storage(monkeypatch):
  path = literal(pathlib.Path("/s3/run")) / "checkpoints"
  assert os.fspath(path) == path.as_posix() == "/s3/run/checkpoints"
  with pytest.raises(UsageError, match="/s3, which TFDS and jax take"):
    cache.root("/s3/cache")
  monkeypatch.setenv("LM_JAX_CACHE", "/gs/cache")
  with pytest.raises(UsageError, match=r"--data\.cache=/gs/cache: below /gs"):
    cache.root()
