"""Directories of theirs as models here, on one device and on several."""

import json

import devices_apart
import foreign_model
import numpy as np
import pytest

import lm_jax
from lm_jax.hugging_face import pretrained
from lm_jax.storage import checkpoint
from lm_jax.support.errors import UsageError

IDS = np.arange(2, 26).reshape(4, 6)


def test_nothing_is_read_before_all_is_known_to_fit(tmp_path):
  tensors = foreign_model.build(tmp_path)
  foreign = pretrained.read(str(tmp_path))
  assert foreign.model.architecture == "GPT2LMHeadModel"
  assert foreign.tokenizer is None
  config = foreign.config
  assert (config.objective, config.family) == ("clm", "gpt2")
  assert (config.length, config.trunk["width"]) == (32, 16)
  name = "transformer.h.0.mlp.c_fc.weight"
  foreign_model.write(tmp_path, tensors | {name: tensors[name].T})
  with pytest.raises(UsageError, match=r"c_fc.weight .*\[64, 16\].*\[16, 64\]"):
    pretrained.read(str(tmp_path))


def test_parameters_are_the_tensors(tmp_path):
  """Cut and turned as the table of the family says, for GPT-2 and BERT."""
  tensors = foreign_model.build(tmp_path / "gpt2")
  params = pretrained.parameters(pretrained.read(str(tmp_path / "gpt2")))
  block = params["stack_main"]["blocks"]["layer_1"]
  fused = tensors["transformer.h.1.attn.c_attn.weight"]
  for i, name in enumerate(("query", "key", "value")):
    np.testing.assert_array_equal(
      block["attention"][name]["kernel"], fused[:, 16 * i : 16 * (i + 1)]
    )
  tensors = foreign_model.build(tmp_path / "bert", "bert")
  params = pretrained.parameters(pretrained.read(str(tmp_path / "bert")))
  up = params["stack_main"]["blocks"]["layer_1"]["feedforward"]["up"]
  theirs = tensors["bert.encoder.layer.1.intermediate.dense.weight"]
  np.testing.assert_array_equal(up["kernel"], theirs.T)


# In a process of eight devices: every shard of every parameter is the slice
# of the whole that its device is to have, and no more than its bytes is read.
_SHARDED = """
import dataclasses
import json, math, sys
import numpy as np
import lm_jax
from lm_jax import cli
from lm_jax.inference import load
from lm_jax.devices import sharding
from lm_jax.hugging_face import pretrained
from lm_jax.storage.digest import flatten
from lm_jax.hugging_face.weights import Weights

whole_read = Weights.read
sizes = []
def read(self, name, index=None):
  found = whole_read(self, name, index)
  sizes.append((name, found.size))
  return found
Weights.read = read

mesh = sharding.make_mesh({"data": 2, "fsdp": 2, "tensor": 2})
for directory in sys.argv[1:]:
  ids = np.load(f"{directory}/ids.npy")
  foreign = pretrained.read(directory)
  whole = flatten(lm_jax.load(directory)._params)
  sizes.clear()
  params = pretrained.parameters(foreign, mesh)
  shaped = {n for n, r in foreign.model.tensors.items() if r.shape}
  cut = 0
  for (path, leaf), place in zip(
    flatten(params).items(),
    flatten(sharding.parameters(mesh, foreign.model.boxed)).values(),
    strict=True,
  ):
    assert leaf.sharding == place, path
    assert len(leaf.addressable_shards) == 8
    for shard in leaf.addressable_shards:
      np.testing.assert_array_equal(shard.data, whole[path][shard.index])
      cut += shard.data.size < leaf.size
  # Each number is read once, though two devices have it.
  count = sum(n for name, n in sizes if name not in shaped)
  sizes_of = foreign.model.shapes
  expected = sum(
    math.prod(sizes_of[path])
    for name, rule in foreign.model.tensors.items() if name not in shaped
    for path in rule.ours
  )
  assert count == expected, (count, expected)
  if directory.endswith("gpt2"):
    assert cli.main([
      "import", f"--model={directory}", f"--workdir={directory}-run",
      "--mesh=data=2,fsdp=2,tensor=2",
    ]) == 0
  one = load.load(directory)
  given = {"decoder_input_ids": ids} if "bart" in directory else {}
  model = lm_jax.LanguageModel(dataclasses.replace(one, params=params))
  logits = model.logits(ids, **given)
  np.save(f"{directory}/logits.npy", logits)
  print("cut", json.dumps([directory, cut]))
"""


def test_every_device_gets_its_slice_and_the_logits_stay(tiny, tmp_path):
  for name in foreign_model.CONFIGS:
    foreign_model.build(tmp_path / name, name)
    np.save(tmp_path / name / "ids.npy", IDS)
  directories = [tmp_path / name for name in foreign_model.CONFIGS]
  lines = devices_apart.run(
    "-c", _SHARDED, *directories, LM_JAX_CACHE=str(tiny.cache)
  ).splitlines()
  results = [line.removeprefix("cut") for line in lines if line[:3] == "cut"]
  assert len(results) == len(foreign_model.CONFIGS)
  for line in results:
    directory, cut = json.loads(line)
    assert cut > 8 * 8  # shards that are not the whole
    given = {"decoder_input_ids": IDS} if "bart" in directory else {}
    np.testing.assert_allclose(
      np.load(f"{directory}/logits.npy"),
      lm_jax.load(directory).logits(IDS, **given),
      atol=2e-6,
      rtol=1e-5,
    )
  run = tmp_path / "gpt2-run"
  result = json.loads((run / "result.json").read_text())
  for directory in (run, tmp_path / "gpt2"):
    found = checkpoint.digest(lm_jax.load(directory)._params)
    assert found == result["digest"]
