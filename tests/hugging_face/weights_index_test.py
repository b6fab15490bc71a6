"""Weights in several files, which an index names."""

import json
import os

import numpy as np
import pytest

from lm_jax.hugging_face.weights import Weights, write
from lm_jax.support.errors import UsageError

_INDEX = "model.safetensors.index.json"


@pytest.fixture
def sharded(tmp_path):
  directory = tmp_path / "model"
  arrays = {name: np.full(4, i, np.int8) for i, name in enumerate("abcd")}
  items = [
    (name, x.dtype, x.shape, lambda x=x: x) for name, x in arrays.items()
  ]
  write(directory, items, shard_bytes=8)
  return directory


def _shard(i):
  return f"model-0000{i}-of-00002.safetensors"


def _change(directory, **changes):
  index = json.loads((directory / _INDEX).read_text())
  index["weight_map"].update(changes)
  (directory / _INDEX).write_text(json.dumps(index))


@pytest.mark.parametrize(
  "name",
  [
    "../outside.safetensors",
    "/etc/outside.safetensors",
    "..",
    "sub/x.safetensors",
    "sub\\x.safetensors",
    "nul\0.safetensors",
    "x.bin",
    "x.safetensors\n",
    "n" * 300 + ".safetensors",
    "none.safetensors",
    7,
    None,
  ],
)
def test_an_index_names_files_beside_it(sharded, name):
  outside = sharded.parent / "outside.safetensors"
  os.link(sharded / _shard(1), outside)
  _change(sharded, a=name)
  with pytest.raises(UsageError, match="index.json") as error:
    Weights(sharded)
  assert "\n" not in str(error.value)


def test_a_link_may_not_lead_outside_except_into_the_hubs_cache(sharded):
  outside = sharded.parent / "outside.safetensors"
  (sharded / _shard(1)).rename(outside)
  (sharded / _shard(1)).symlink_to(outside)
  with pytest.raises(UsageError, match="leads outside"):
    Weights(sharded)
  cache = sharded.parent / "models--a--b"
  (cache / "blobs").mkdir(parents=True)
  (cache / "snapshots").mkdir()
  home = sharded.rename(cache / "snapshots" / "main")
  outside.rename(cache / "blobs" / "1234")
  (home / _shard(1)).unlink()
  (home / _shard(1)).symlink_to("../../blobs/1234")
  with Weights(home) as weights:
    assert sorted(weights.names()) == list("abcd")


@pytest.mark.parametrize(
  "text", ["", "[]", "{}", '{"weight_map": {}}', "[" * 10**5]
)
def test_an_index_is_json_with_a_weight_map(sharded, text):
  (sharded / _INDEX).write_text(text)
  with pytest.raises(UsageError, match=r"index.json: (not JSON|has no)"):
    Weights(sharded)


def test_index_and_shards_must_agree(sharded):
  index = (sharded / _INDEX).read_text()

  def refused(words):
    with pytest.raises(UsageError, match=words):
      Weights(sharded)
    (sharded / _INDEX).write_text(index)

  _change(sharded, e=_shard(1))
  refused(f"'e' is not in '{_shard(1)}'")
  _change(sharded, a=_shard(2))
  refused(f"'a' is not in '{_shard(2)}'")
  content = json.loads(index)
  del content["weight_map"]["b"]
  (sharded / _INDEX).write_text(json.dumps(content))
  refused(f"'{_shard(1)}' has tensor 'b', not in the index")
  second = (sharded / _shard(2)).read_bytes()
  (sharded / _shard(2)).write_bytes((sharded / _shard(1)).read_bytes())
  refused("tensor 'a' is in two shards")
  (sharded / _shard(2)).write_bytes(second[:-1])
  refused(f"{_shard(2)}: .*shorter")
  (sharded / _shard(2)).unlink()
  refused(f"'{_shard(2)}' is missing")
