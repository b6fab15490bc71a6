"""T5 and mT5: the configurations of the released models."""

import dataclasses
import json
import math

import pytest

from lm_jax.families._fields import Fields
from lm_jax.families.t5 import T5
from lm_jax.hugging_face import read as read_lib
from lm_jax.hugging_face import write as write_lib
from lm_jax.models import sizes
from lm_jax.support.errors import UsageError
from lm_jax.types import Head

SMALL = {
  "architectures": ["T5WithLMHeadModel"],
  "d_ff": 2048,
  "d_kv": 64,
  "d_model": 512,
  "decoder_start_token_id": 0,
  "dropout_rate": 0.1,
  "eos_token_id": 1,
  "initializer_factor": 1.0,
  "is_encoder_decoder": True,
  "layer_norm_epsilon": 1e-06,
  "model_type": "t5",
  "n_positions": 512,
  "num_heads": 8,
  "num_layers": 6,
  "output_past": True,
  "pad_token_id": 0,
  "relative_attention_num_buckets": 32,
  "task_specific_params": {"summarization": {"num_beams": 4}},
  "vocab_size": 32128,
}
V1_1 = {
  **SMALL,
  "architectures": ["T5ForConditionalGeneration"],
  "d_ff": 1024,
  "num_layers": 8,
  "num_decoder_layers": 8,
  "num_heads": 6,
  "feed_forward_proj": "gated-gelu",
  "tie_word_embeddings": False,
}
FLAN = {**V1_1, "dense_act_fn": "gelu_new", "is_gated_act": True}
# As Transformers writes version 1.1 today.
RESAVED = {**FLAN, "tie_word_embeddings": True, "scale_decoder_outputs": False}
MT5 = {
  **V1_1,
  "architectures": ["MT5ForConditionalGeneration"],
  "model_type": "mt5",
  "tokenizer_class": "T5Tokenizer",
  "vocab_size": 250112,
}


def describe(config, directory):
  (directory / "config.json").write_text(json.dumps(config))
  return read_lib.describe(directory)


@pytest.mark.parametrize(
  ("config", "parameters", "tied"),
  [
    (SMALL, 60_506_624, True),
    (V1_1, 76_961_152, False),
    (FLAN, 76_961_152, False),
    (MT5, 300_176_768, False),
  ],
  ids=["t5-small", "t5-v1_1-small", "flan-t5-small", "mt5-small"],
)
def test_a_released_model_has_its_size(config, parameters, tied, tmp_path):
  model = describe(config, tmp_path)[0]
  assert model.trunk.tied == model.trunk.output_scaling == tied
  assert model.trunk.activation == ("relu" if tied else "geglu")
  assert sum(map(math.prod, model.shapes.values())) == parameters


def test_what_a_configuration_leaves_open_is_read_both_ways(tmp_path):
  name = "T5ForConditionalGeneration"
  found = [m for m in describe(RESAVED, tmp_path) if m.architecture == name]
  assert [model.trunk.tied for model in found] == [True, False]
  assert not any(model.trunk.output_scaling for model in found)
  assert ["lm_head.weight" in model.tensors for model in found] == [False, True]


TRUNK = dataclasses.replace(
  sizes.PRESETS["t5"], architecture="encoder_decoder", encoder_layers=3
)


def test_the_preset_fits_and_its_encoder_alone():
  assert write_lib.misfits(T5(), TRUNK) == []
  lm = write_lib.model_of(T5(), TRUNK, {"vocabulary": None})
  assert lm.architecture == "T5ForConditionalGeneration"
  part = dataclasses.replace(TRUNK, architecture="encoder")
  for outputs, name in (
    ({}, "T5EncoderModel"),
    ({"tokens": Head(3)}, "T5ForTokenClassification"),
  ):
    assert write_lib.model_of(T5(), part, outputs).architecture == name


def test_what_no_t5_has_is_named():
  wrong = dataclasses.replace(TRUNK, norm="layernorm", bias=True)
  assert write_lib.misfits(T5(), wrong) == [
    "--trunk.norm=layernorm is rmsnorm in T5",
    "--trunk.bias=true is false in T5",
  ]


@pytest.mark.parametrize(
  ("change", "named"),
  [
    ({"feed_forward_proj": "gated-tanh"}, "feed_forward_proj"),
    ({"feed_forward_proj": "relu", "dense_act_fn": "silu"}, "dense_act_fn"),
    ({"feed_forward_proj": "relu", "is_gated_act": True}, "is_gated_act"),
    ({"is_decoder": True}, "is_decoder"),
  ],
)
def test_what_is_not_supported_is_named(change, named):
  with pytest.raises(UsageError, match=f"{named}=.*must be"):
    T5().trunk(Fields({**SMALL, **change}, "config.json"))
