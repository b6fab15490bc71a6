"""LLaMA's published configurations."""

import dataclasses

import published
import pytest

from lm_jax.families.llama import Llama
from lm_jax.hugging_face import write as write_lib
from lm_jax.support.errors import UsageError
from lm_jax.types import Trunk

SECOND = {  # LLaMA 2, 7 B
  "architectures": ["LlamaForCausalLM"],
  "bos_token_id": 1,
  "eos_token_id": 2,
  "hidden_act": "silu",
  "hidden_size": 4096,
  "initializer_range": 0.02,
  "intermediate_size": 11008,
  "max_position_embeddings": 4096,
  "model_type": "llama",
  "num_attention_heads": 32,
  "num_hidden_layers": 32,
  "num_key_value_heads": 32,
  "pretraining_tp": 1,
  "rms_norm_eps": 1e-05,
  "rope_scaling": None,
  "tie_word_embeddings": False,
  "torch_dtype": "float16",
  "use_cache": True,
  "vocab_size": 32000,
}
THIRD = SECOND | {  # LLaMA 3.2, 1 B
  "attention_bias": False,
  "attention_dropout": 0.0,
  "bos_token_id": 128000,
  "eos_token_id": [128001, 128008, 128009],
  "head_dim": 64,
  "hidden_size": 2048,
  "intermediate_size": 8192,
  "max_position_embeddings": 131072,
  "mlp_bias": False,
  "num_hidden_layers": 16,
  "num_key_value_heads": 8,
  "rope_scaling": {
    "factor": 32.0,
    "high_freq_factor": 4.0,
    "low_freq_factor": 1.0,
    "original_max_position_embeddings": 8192,
    "rope_type": "llama3",
  },
  "rope_theta": 500000.0,
  "tie_word_embeddings": True,
  "torch_dtype": "bfloat16",
  "vocab_size": 128256,
}
EIGHT = THIRD | {  # LLaMA 3.1, 8 B
  "head_dim": None,
  "hidden_size": 4096,
  "intermediate_size": 14336,
  "num_hidden_layers": 32,
  "rope_scaling": THIRD["rope_scaling"] | {"factor": 8.0},
  "tie_word_embeddings": False,
}
TRUNK = Trunk(
  layers=16,
  width=2048,
  heads=32,
  kv_heads=8,
  head_width=64,
  feedforward=8192,
  vocabulary=128256,
  max_positions=131072,
  norm="rmsnorm",
  rotary_base=500000.0,
  rotary_scaling=(32.0, 1.0, 4.0, 8192.0),
  activation="swiglu",
)


@pytest.mark.parametrize(
  ("config", "count"),
  [(SECOND, 6_738_415_616), (THIRD, 1_235_814_400), (EIGHT, 8_030_261_248)],
)
def test_sizes_are_the_published_ones(config, count, tmp_path):
  model = published.describe(tmp_path, config)
  assert published.parameters(model) == count


def test_a_published_configuration_is_read(tmp_path):
  assert published.describe(tmp_path, THIRD).trunk == TRUNK


@pytest.mark.parametrize(
  ("fields", "base", "scaling"),
  [
    ({}, 10000.0, ()),
    ({"rope_theta": 1e6}, 1e6, ()),
    ({"rope_scaling": {"type": "linear", "factor": 4}}, 10000.0, (4.0,)),
    (
      {"rope_parameters": {"rope_type": "default", "rope_theta": 5e5}},
      5e5,
      (),
    ),
    (
      # The last words of Transformers: rope_scaling, and the length outside.
      {
        "rope_theta": 1e6,
        "original_max_position_embeddings": 512,
        "rope_parameters": {"rope_type": "default"},
        "rope_scaling": {
          "rope_type": "llama3",
          "rope_theta": 2e6,
          "factor": 2.0,
          "low_freq_factor": 1.0,
          "high_freq_factor": 4.0,
        },
      },
      2e6,
      (2.0, 1.0, 4.0, 512.0),
    ),
  ],
)
def test_rotary_positions_are_told_in_many_ways(
  fields, base, scaling, tmp_path
):
  trunk = published.describe(tmp_path, SECOND | fields).trunk
  assert (trunk.rotary_base, trunk.rotary_scaling) == (base, scaling)
  assert write_lib.misfits(Llama(), trunk) == []


@pytest.mark.parametrize(
  ("changes", "wrong"),
  [
    ({"bias": True}, 0),
    ({"bias_except": ("up", "down")}, 0),
    ({"bias": True, "bias_except": ("down", "up")}, 0),
    ({"bias_except": ("qkv",)}, 1),
    ({"windows": (8,)}, 1),
    ({"norm": "layernorm", "depth_scaling": True}, 2),
  ],
)
def test_what_it_cannot_say_is_told(changes, wrong):
  trunk = dataclasses.replace(TRUNK, **changes)
  assert len(write_lib.misfits(Llama(), trunk)) == wrong


@pytest.mark.parametrize(
  ("field", "value"),
  [
    ("rope_type", {"rope_type": "yarn", "factor": 2.0}),
    ("factor", {"rope_type": "linear", "factor": 0}),
    ("factor", {"rope_type": "linear"}),
    ("partial_rotary_factor", {"partial_rotary_factor": 0.5}),
    ("low_freq_factor", THIRD["rope_scaling"] | {"high_freq_factor": 1.0}),
    ("num_key_value_heads", 5),
    ("num_attention_heads", 48),
    ("hidden_act", "mish"),
  ],
)
def test_what_is_not_supported_is_refused(field, value, tmp_path):
  name = "rope_scaling" if isinstance(value, dict) else field
  with pytest.raises(UsageError, match=f"{field}[= ]"):
    published.describe(tmp_path, THIRD | {name: value})
