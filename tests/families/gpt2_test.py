"""GPT-2's published configurations, and files as they are published."""

import dataclasses

import flax.linen as nn
import published
import pytest
import toy

from lm_jax.hugging_face import read as read_lib
from lm_jax.hugging_face import write as write_lib
from lm_jax.hugging_face.weights import Weights
from lm_jax.support.errors import UsageError
from lm_jax.types import Trunk

PUBLISHED = {
  "activation_function": "gelu_new",
  "architectures": ["GPT2LMHeadModel"],
  "attn_pdrop": 0.1,
  "bos_token_id": 50256,
  "embd_pdrop": 0.1,
  "eos_token_id": 50256,
  "initializer_range": 0.02,
  "layer_norm_epsilon": 1e-05,
  "model_type": "gpt2",
  "n_ctx": 1024,
  "n_embd": 768,
  "n_head": 12,
  "n_layer": 12,
  "n_positions": 1024,
  "resid_pdrop": 0.1,
  "summary_activation": None,
  "summary_first_dropout": 0.1,
  "summary_proj_to_labels": True,
  "summary_type": "cls_index",
  "summary_use_proj": True,
  "task_specific_params": {
    "text-generation": {"do_sample": True, "max_length": 50}
  },
  "vocab_size": 50257,
}
SMALL = Trunk(
  layers=12,
  width=768,
  heads=12,
  feedforward=3072,
  vocabulary=50257,
  max_positions=1024,
  positions="learned",
  bias=True,
  types_are_tokens=True,
  dropout=0.1,
  attention_dropout=0.1,
)
TINY = {"n_embd": 8, "n_head": 2, "n_layer": 2, "vocab_size": 11}


@pytest.mark.parametrize(
  ("changes", "count"),
  [
    ({}, 124_439_808),
    ({"n_embd": 1024, "n_layer": 24, "n_head": 16}, 354_823_168),
    ({"n_embd": 1600, "n_layer": 48, "n_head": 25}, 1_557_611_200),
    ({"n_layer": 6}, 81_912_576),  # DistilGPT-2
  ],
)
def test_sizes_are_the_published_ones(changes, count, tmp_path):
  model = published.describe(tmp_path, PUBLISHED | changes)
  assert published.parameters(model) == count


def test_a_published_configuration_is_read(tmp_path):
  assert published.describe(tmp_path, PUBLISHED).trunk == SMALL
  left_out = {"model_type": "gpt2", "architectures": ["GPT2LMHeadModel"]}
  assert published.describe(tmp_path, left_out).trunk == SMALL
  stanford = {
    "n_inner": None,
    "reorder_and_upcast_attn": True,
    "scale_attn_by_inverse_layer_idx": True,
    "scale_attn_weights": True,
    "use_cache": True,
  }
  found = published.describe(tmp_path, PUBLISHED | stanford).trunk
  assert found == dataclasses.replace(SMALL, depth_scaling=True)
  second = {"model_type": "gpt2", "num_attention_heads": 16, "n_head": 12}
  found = published.describe(tmp_path, second).trunk
  assert found == dataclasses.replace(SMALL, heads=16)


@pytest.mark.parametrize(
  ("field", "value"),
  [
    ("add_cross_attention", True),
    ("activation_function", "mish"),
    ("n_layer", 0),
    ("summary_activation", "tanh"),
  ],
)
def test_what_is_not_supported_is_refused(field, value, tmp_path):
  config = PUBLISHED | {"architectures": ["GPT2DoubleHeadsModel"]}
  with pytest.raises(UsageError, match=f"{field}="):
    published.describe(tmp_path, config | {field: value})


@pytest.mark.parametrize("how", ["short", "moved"])
def test_a_file_with_other_names_is_the_same_model(how, tmp_path):
  """GPT-2's own names carry no prefix; the table may be the head's, too."""
  model = published.describe(tmp_path, PUBLISHED | TINY)
  change = {
    "short": True,
    "moved": {"transformer.wte.weight": "lm_head.weight"},
  }
  other = dataclasses.replace(model, **{how: change[how]})
  params = toy.draw(nn.meta.unbox(model.boxed))
  write_lib.write(tmp_path, other, params)
  with Weights(tmp_path) as weights:
    present = set(weights.names())
    assert present != set(model.tensors)
    found = read_lib.match(read_lib.describe(tmp_path), weights)
    assert found.architecture == "GPT2LMHeadModel"
    assert set(found.outputs) == {"vocabulary"}
    assert set(found.tensors) == present
