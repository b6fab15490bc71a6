"""The metadata of a checkpoint: orbax's files, and our JSON in them."""

import contextlib
import gc
import json
import logging
import shutil

import fuzzing
import jax
import jax.numpy as jnp
import pytest
from absl import logging as absl_logging
from hypothesis import strategies as st

from lm_jax.storage.checkpoint import Checkpoints
from lm_jax.storage.digest import digest, sha256
from lm_jax.support.errors import UsageError

_STATE = {
  "params": {"w": jnp.arange(6.0).reshape(2, 3), "b": jnp.ones(3)},
  "step": jnp.int32(7),
}
_ABSTRACT = jax.tree.map(
  lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype), _STATE
)
_META = {"ledger": {"steps": 7, "flops": 2**60}, "data": "abc"}

# Fewer in the suite: each is restored three times.
_COUNTS = pytest.mark.parametrize(
  "count",
  [40, pytest.param(10_000, marks=pytest.mark.soak)],
  ids=["short", "soak"],
)
# Where one array cannot be read, orbax abandons its reads of the others.
pytestmark = pytest.mark.filterwarnings(
  "ignore::pytest.PytestUnraisableExceptionWarning"
)


@pytest.fixture
def quiet(monkeypatch):
  """What is said of each damaged step, and by orbax."""
  monkeypatch.setattr(absl_logging, "warning", lambda *_: None)
  logging.disable(logging.CRITICAL)
  yield
  logging.disable(logging.NOTSET)
  gc.collect()


def _save(directory):
  with Checkpoints(directory, asynchronous=False) as checkpoints:
    checkpoints.save(7, _STATE, _META, {"validation_loss": 1.5})
  return directory / "7"


def _restore(directory):
  with Checkpoints(directory, read_only=True) as checkpoints:
    checkpoints.meta()
    found = checkpoints.restore(_ABSTRACT)
    with contextlib.suppress(UsageError):
      checkpoints.restore_params(_ABSTRACT["params"])
  with Checkpoints(
    directory, read_only=True, best_metric="validation_loss"
  ) as checkpoints:
    checkpoints.latest()
  return found


@_COUNTS
def test_our_record_is_read_or_refused(count, tmp_path, quiet):
  """Sealed anew, as who wrote it on purpose would."""
  path = _save(tmp_path) / "meta" / "metadata"
  good = json.loads(path.read_text())
  del good["sha256"]

  def read(data):
    with contextlib.suppress(ValueError, RecursionError):
      body = json.loads(data)
      if isinstance(body, dict):
        body["sha256"] = sha256(body)
        data = json.dumps(body).encode()
    path.write_bytes(data)
    end, found = fuzzing.attempt(lambda: _restore(tmp_path), tmp_path)
    if end == "valid" and found is None:
      return [*fuzzing.is_json(data), "passed over"]
    if end == "valid":
      assert digest(found[0]) == digest(_STATE)
      assert isinstance(found[1], dict)
    return [*fuzzing.is_json(data), end]

  inputs = fuzzing.texts([good])
  shares = {"JSON": 0.5, "valid": 0.05, "passed over": 0.1}
  fuzzing.fuzz("record of a step", count, inputs, read, shares)


@_COUNTS
def test_damaged_files_are_never_restored(count, tmp_path, quiet):
  """Any file of a step broken: what was saved comes back, or nothing."""
  step = _save(tmp_path / "run")
  files = {
    str(path.relative_to(step)): path.read_bytes()
    for path in sorted(step.rglob("*"))
    if path.is_file()
  }

  @st.composite
  def broken(draw):
    name = draw(st.sampled_from(sorted(files)))
    data = files[name]
    try:
      tree = json.loads(data)
    except ValueError:
      return name, draw(fuzzing.damaged(data))
    return name, draw(fuzzing.texts([tree]))

  def read(file):
    name, data = file
    (step / name).write_bytes(data)
    try:
      end, found = fuzzing.attempt(
        lambda: _restore(tmp_path / "run"), tmp_path / "run"
      )
    finally:
      (step / name).write_bytes(files[name])
    if end == "valid" and found is None:
      return ["passed over"]
    if end == "valid":
      assert digest(found[0]) == digest(_STATE)
      assert found[1] == _META
    return [end]

  shares = {"valid": 0.05, "passed over": 0.1}
  fuzzing.fuzz("files of a step", count, broken(), read, shares)


def test_a_shape_that_is_too_large_is_found_before_it_is_allocated(
  tmp_path, quiet
):
  """A record that fits, and files that hold another, huge, array."""
  import numpy as np
  import tensorstore

  _save(tmp_path / "run")
  state = tmp_path / "run" / "7" / "state"
  kvstore = {"driver": "ocdbt", "base": f"file://{state}", "path": "params.w/"}
  spec = {"driver": "zarr", "kvstore": kvstore}
  old = tensorstore.open(spec, open=True).result().spec().to_json()
  old["metadata"] |= {"shape": [2**20, 2**22], "chunks": [2**10, 2**10]}
  tensorstore.open(
    old | {"kvstore": kvstore}, create=True, delete_existing=True
  ).result()[0, 0].write(np.float32(1)).result()
  end, found = fuzzing.attempt(
    lambda: _restore(tmp_path / "run"), tmp_path / "run"
  )
  assert end == "refused" or found is None
  shutil.rmtree(tmp_path / "run")
