"""A directory of Hugging Face Transformers: config.json and safetensors."""

import json
import struct

import foreign_directories as foreign
import fuzzing
from hypothesis import strategies as st

from lm_jax.config import trunk
from lm_jax.families import _fields
from lm_jax.hugging_face import read as read_lib
from lm_jax.hugging_face.weights import INDEX, SINGLE, Weights
from lm_jax.support.errors import UsageError

_CONFIGS = [
  {
    "model_type": kind,
    "architectures": [architecture],
    "vocab_size": 100,
    "pad_token_id": 0,
    "eos_token_id": [1, 2],
    "tie_word_embeddings": True,
    "id2label": {"0": "no", "1": "yes"},
    **config,
  }
  for kind, (architecture, config) in foreign.MODELS.items()
]


@fuzzing.COUNTS
def test_a_config_means_a_trunk_or_is_refused(count, tmp_path):
  def read(data):
    (tmp_path / "config.json").write_bytes(data)

    def describe():
      models = read_lib.describe(tmp_path)
      fields = _fields.read(tmp_path, "--model")
      specials = models[0].family.specials(fields)
      assert all(0 <= i < 2**31 for i in specials.ids)
      return models[0]

    end, model = fuzzing.attempt(describe, "config.json")
    assert (end == "refused") or _fields.is_directory(tmp_path)
    ends = [*fuzzing.is_json(data), end]
    if model is not None:
      try:
        trunk.check(model.trunk)
      except UsageError:
        return [*ends, "impossible"]
      # What is written of it is JSON.
      json.dumps(model.family.config(model.trunk))
    return ends

  inputs = fuzzing.texts(_CONFIGS)
  shares = {"JSON": 0.5, "valid": 0.05}
  fuzzing.fuzz("config.json of a family", count, inputs, read, shares)


_HEADER = {
  "__metadata__": {"format": "pt"},
  "a": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]},
  "b": {"dtype": "BF16", "shape": [], "data_offsets": [24, 26]},
  "c": {"dtype": "I8", "shape": [0, 5], "data_offsets": [26, 26]},
}
_DATA = bytes(range(26))


@st.composite
def _safetensors(draw):
  header = draw(fuzzing.texts([_HEADER]))
  length, data = len(header), _DATA
  act = draw(st.sampled_from(["none"] * 7 + ["length", "data", "bytes"]))
  if act == "length":
    length = draw(st.sampled_from([0, 7, 10**8, 2**40, 2**63, 2**64 - 1]))
  elif act == "data":
    data = draw(st.sampled_from([b"", _DATA[:-1], _DATA + b"\0"]))
  whole = struct.pack("<Q", length) + header + data
  return draw(fuzzing.damaged(whole)) if act == "bytes" else whole


def _read_all(directory):
  with Weights(directory) as weights:
    found = {name: weights.read(name) for name in weights.names()}
    for name, array in found.items():
      assert array.shape == weights.shape(name)
  return found


@fuzzing.COUNTS
def test_a_safetensors_file_is_read_or_refused(count, tmp_path):
  def read(data):
    (tmp_path / SINGLE).write_bytes(data)
    end, found = fuzzing.attempt(lambda: _read_all(tmp_path), SINGLE)
    if end == "valid":
      assert sum(array.nbytes for array in found.values()) <= len(data)
    length = int.from_bytes(data[:8], "little")
    return [*fuzzing.is_json(data[8 : 8 + min(length, len(data))]), end]

  shares = {"JSON": 0.4, "valid": 0.02}
  fuzzing.fuzz("safetensors", count, _safetensors(), read, shares)


@fuzzing.COUNTS
def test_an_index_is_read_or_refused(count, tmp_path):
  inside, outside = tmp_path / "in", tmp_path / "out"
  shards = {"x.safetensors": "a", "y.safetensors": "b"}
  for folder in (inside, outside):
    folder.mkdir()
    for name, tensor in shards.items():
      entry = {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}
      header = json.dumps({tensor: entry}).encode()
      content = struct.pack("<Q", len(header)) + header + b"\0\0\x80?"
      (folder / name).write_bytes(content)
  (inside / "z.safetensors").symlink_to(outside / "x.safetensors")
  valid = [
    {
      "metadata": {"total_size": 8},
      "weight_map": {"a": x, "b": "y.safetensors"},
    }
    for x in (
      *("x.safetensors", "x.safetensors", "../out/x.safetensors"),
      *(str(outside / "x.safetensors"), "z.safetensors", "y.safetensors"),
    )
  ]

  def read(data):
    (inside / INDEX).write_bytes(data)
    end, found = fuzzing.attempt(lambda: _read_all(inside), INDEX)
    if end == "valid":
      assert found and set(found) <= {"a", "b"}
      assert all(array == 1 for array in found.values())
      named = json.loads(data)["weight_map"].values()
      assert set(named) <= set(shards)
    return [*fuzzing.is_json(data), end]

  inputs = fuzzing.texts(valid)
  fuzzing.fuzz(
    "safetensors index", count, inputs, read, {"JSON": 0.5, "valid": 0.05}
  )
