import dataclasses
import json

import pytest

from lm_jax import config as config_lib
from lm_jax.config import Config
from lm_jax.config.optimizer import OptimizerOptions
from lm_jax.data.options import DataOptions
from lm_jax.models import sizes
from lm_jax.support.errors import UsageError

RICH = Config(
  objective="mlm",
  architecture="encoder",
  budget="steps:7",
  workdir="w",
  name="a-seed0",
  arm="a",
  data=DataOptions(corpus="é *.txt", packing="document"),
  optimizer=OptimizerOptions(name="lion", learning_rate=3e-5),
  objective_options={"rate": 0.3, "unit": "word"},
  trunk={"preset": "bert", "windows": (64, 0), "bias": False},
)


@pytest.mark.parametrize(
  "config", [Config(), RICH, config_lib.resolve(RICH)], ids=range(3)
)
def test_json_round_trip(config):
  again = config_lib.from_json(config_lib.to_json(config))
  assert again == config
  # `==` takes 1 for 1.0 and True, and lists would not equal tuples.
  assert repr(again) == repr(config)


@pytest.mark.parametrize(
  ("change", "message"),
  [
    ({"lenght": 3}, "key=lenght: unknown; did you mean length"),
    ({"data": {"corpsu": "x"}}, "did you mean data.corpus"),
    ({"data": "sotu"}, "data='sotu': must be an object"),
    ({"length": {}}, "length={}: must be a whole number"),
    ({"data": {"corpus": {"a": 1}}}, "data.corpus"),
    ({"length": "128"}, "length=128: must be a whole number"),
    ({"objective": "mlmm"}, "--objective=mlmm"),
    ({"objective": 3}, "objective=3: must be text"),
    ({"objective_options": {"mean_span": 3.0}}, "clm has no such option"),
    ({"trunk": {"width": "128"}}, "trunk.width"),
    ({"trunk": {"embeddings": "x"}}, "trunk.embeddings"),
    ({"optimizer": {"clip": -1}}, "--optimizer.clip"),
  ],
)
def test_bad_file_is_refused(change, message):
  with pytest.raises(UsageError, match=message):
    config_lib.from_json(json.dumps(change), "some/config.json")


@pytest.mark.parametrize("text", ["{", "[]", "3", '"x"'])
def test_file_that_is_no_object_is_refused(text):
  with pytest.raises(UsageError, match=r"some/config\.json"):
    config_lib.from_json(text, "some/config.json")


def test_resolved_says_everything_and_stays():
  once = config_lib.resolve(Config(objective="mlm", budget="flops:1e9"))
  assert once.architecture == "encoder"
  assert once.budget == "flops:1000000000"
  assert once.objective_options["rate"] == 0.15
  assert once.trunk["width"] == sizes.SIZES["tiny"].width
  assert config_lib.resolve(once) == once
  assert config_lib.build(once) == config_lib.build(Config(objective="mlm"))


def test_how_a_run_is_called_is_not_kept():
  text = config_lib.to_json(Config(allow_change=("data", "seed")))
  assert config_lib.from_json(text) == Config()


def test_build_applies_size_preset_and_changes():
  built = config_lib.build(
    Config(dtype="bfloat16", trunk={"windows": (8, 0)}, mesh="data=1")
  )
  assert built.trunk == dataclasses.replace(
    sizes.SIZES["tiny"],
    windows=(8, 0),
    dtype="bfloat16",
    architecture="causal_decoder",
    vocabulary=0,  # follow from the data
    max_positions=0,
  )
  assert built.mesh == {"data": 1}
  built = config_lib.build(RICH)
  assert built.trunk.width == sizes.PRESETS["bert"].width
  assert built.trunk.architecture == "encoder"
  assert built.objective.rate == 0.3


@pytest.mark.parametrize(
  ("changes", "message"),
  [
    ({"objective": "mlm", "architecture": "causal_decoder"}, "fits encoder"),
    ({"size": "tinny"}, "--size=tinny: unknown; did you mean tiny"),
    ({"trunk": {"preset": "brt"}}, "--trunk.preset=brt.*bert"),
    ({"trunk": {"width": 100, "heads": 3}}, "--trunk.heads=3.*1, 2, 4"),
    ({"trunk": {"heads": 4, "kv_heads": 3}}, "--trunk.kv_heads=3"),
    ({"trunk": {"width": 6, "heads": 2}}, "--trunk.positions=rotary"),
    ({"trunk": {"dropout": 1.0}}, "--trunk.dropout"),
    ({"trunk": {"windows": ()}}, "--trunk.windows"),
    ({"trunk": {"layers": 0}}, "--trunk.layers=0: must be 1 to 10000"),
    ({"trunk": {"rotary_scaling": (2.0, 1.0)}}, "rotary_scaling=2.0,1.0"),
    ({"trunk": {"rotary_scaling": (8, 4, 1, 64)}}, "rotary_scaling=8,4,1,64"),
    ({"trunk": {"scan": True, "depth_scaling": True}}, "scan.*depth_scaling"),
    (
      {"trunk": {"positions": "xlnet", "depth_scaling": True}},
      "--trunk.depth_scaling=true.*positions=xlnet",
    ),
    (
      {"trunk": {"heads": 4, "kv_heads": 4, "encoder_heads": 2}},
      "--trunk.kv_heads=4.*--trunk.encoder_heads=2",
    ),
    ({"length": 15}, "--length=15: must be at least 16"),
    ({"accumulate": 3}, "--accumulate=3: must divide --batch_size=32"),
    ({"seed": -1}, "--seed"),
    ({"budget": "flop:3"}, "--budget=flop:3.*flops"),
    ({"budget": "flops:"}, "--budget"),
    ({"mesh": "data=64"}, "--mesh=data=64: takes 64 devices"),
    ({"mesh": "dat=1"}, "--mesh=dat=1.*data, fsdp, tensor"),
    ({"mesh": "data=1,data=1"}, "--mesh"),
    ({"mesh": "data=0"}, "--mesh"),
    ({"mesh": "data"}, "--mesh"),
    (
      {"objective": "mlm_nsp", "data": DataOptions(packing="packed")},
      "--data.packing=packed.*document",
    ),
    (
      {"objective": "embed", "task": "x", "model": "x"}
      | {"adapt": {"method": "soft_prompt"}},
      "--adapt.method=soft_prompt: needs one text a row.*embed has several",
    ),
  ],
)
def test_impossible_is_refused(changes, message):
  with pytest.raises(UsageError, match=message):
    config_lib.build(Config(**changes))


def test_mesh_must_divide_the_rows(monkeypatch):
  monkeypatch.setattr("jax.device_count", lambda: 8)
  good = Config(batch_size=16, accumulate=2, mesh="data=4,fsdp=2")
  assert config_lib.build(good).mesh == {"data": 4, "fsdp": 2}
  with pytest.raises(UsageError, match=r"8 devices.*the 4 rows"):
    config_lib.build(dataclasses.replace(good, accumulate=4))


def test_head_width_frees_the_heads():
  config = Config(trunk={"width": 100, "heads": 3, "head_width": 16})
  assert config_lib.build(config).trunk.head_width == 16


@pytest.mark.parametrize(
  ("changes", "packing"),
  [
    ({}, "packed"),
    ({"objective": "mlm_nsp"}, "document"),
    ({"objective": "mlm_sop"}, "document"),
    ({"data": DataOptions(packing="document")}, "document"),
    (
      {"model": "x", "adapt": {"method": "soft_prompt", "tokens": 2}},
      "document",
    ),
  ],
)
def test_packing_is_what_is_needed(changes, packing):
  config = Config(**changes)
  config_lib.build(config)
  assert config_lib.resolve(config).data.packing == packing
  assert config_lib.with_packing(config).data.packing == packing


def test_an_old_file_says_how_its_rows_were_packed():
  old = config_lib.from_json('{"data": {"packing": "packed"}}')
  assert old.data.packing == "packed"
  assert config_lib.resolve(config_lib.from_json("{}")) == config_lib.resolve(
    old
  )
