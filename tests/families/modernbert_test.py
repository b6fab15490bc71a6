"""ModernBERT's published configurations, old and new."""

import dataclasses

import published
import pytest

from lm_jax.families.modernbert import ModernBert
from lm_jax.hugging_face import write as write_lib
from lm_jax.support.errors import UsageError
from lm_jax.types import Head, Specials, Trunk

BASE = {  # answerdotai/ModernBERT-base
  "architectures": ["ModernBertForMaskedLM"],
  "attention_bias": False,
  "attention_dropout": 0.0,
  "bos_token_id": 50281,
  "classifier_activation": "gelu",
  "classifier_bias": False,
  "classifier_dropout": 0.0,
  "classifier_pooling": "mean",
  "cls_token_id": 50281,
  "decoder_bias": True,
  "deterministic_flash_attn": False,
  "embedding_dropout": 0.0,
  "eos_token_id": 50282,
  "global_attn_every_n_layers": 3,
  "global_rope_theta": 160000.0,
  "gradient_checkpointing": False,
  "hidden_activation": "gelu",
  "hidden_size": 768,
  "initializer_cutoff_factor": 2.0,
  "initializer_range": 0.02,
  "intermediate_size": 1152,
  "layer_norm_eps": 1e-05,
  "local_attention": 128,
  "local_rope_theta": 10000.0,
  "max_position_embeddings": 8192,
  "mlp_bias": False,
  "mlp_dropout": 0.0,
  "model_type": "modernbert",
  "norm_bias": False,
  "norm_eps": 1e-05,
  "num_attention_heads": 12,
  "num_hidden_layers": 22,
  "pad_token_id": 50283,
  "position_embedding_type": "absolute",
  "sep_token_id": 50282,
  "tie_word_embeddings": True,
  "vocab_size": 50368,
}
LARGE = {
  "hidden_size": 1024,
  "intermediate_size": 2624,
  "num_attention_heads": 16,
  "num_hidden_layers": 28,
}
TRUNK = Trunk(
  architecture="encoder",
  layers=22,
  width=768,
  heads=12,
  feedforward=1152,
  vocabulary=50368,
  max_positions=8192,
  norm_bias=False,
  first_norm=False,
  embedding_norm=True,
  positions="rotary",
  rotary_base=160000.0,
  local_rotary_base=10000.0,
  windows=(0, 65, 65) * 7 + (0,),
  activation="geglu_exact",
  output_bias=True,
  output_transform=True,
  output_transform_bias=False,
  output_activation="gelu",
)
NEW = {  # as Transformers 5 writes it
  "layer_types": (["full_attention"] + ["sliding_attention"] * 2) * 7
  + ["full_attention"],
  "rope_parameters": {
    "full_attention": {"rope_theta": 160000.0, "rope_type": "default"},
    "sliding_attention": {"rope_theta": 10000.0, "rope_type": "default"},
  },
}


@pytest.mark.parametrize(
  ("changes", "count"), [({}, 149_655_232), (LARGE, 395_881_664)]
)
def test_sizes_are_the_published_ones(changes, count, tmp_path):
  model = published.describe(tmp_path, BASE | changes)
  assert published.parameters(model) == count


def test_a_published_configuration_is_read(tmp_path):
  old = {"global_attn_every_n_layers", "global_rope_theta", "local_rope_theta"}
  new = {name: x for name, x in BASE.items() if name not in old} | NEW
  for config in (BASE, new, {"model_type": "modernbert"}):
    assert published.describe(tmp_path, config).trunk == TRUNK
  other = BASE | {
    "architectures": ["ModernBertForSequenceClassification"],
    "global_rope_theta": 8000,
    "local_rope_theta": 8000,
    "classifier_bias": True,
  }
  model = published.describe(tmp_path, other)
  assert (model.trunk.rotary_base, model.trunk.local_rotary_base) == (8000, 0)
  assert model.outputs["classification"] == Head(2, "mean", "gelu", norm=True)


@pytest.mark.parametrize(
  ("field", "value"),
  [
    ("rope_scaling", {"type": "linear", "factor": 2.0}),
    ("rope_type", "yarn"),
    ("layer_types", ["full_attention"] * 21),
    ("layer_types", ["chunked_attention"] * 22),
    ("local_rope_theta", None),
    ("hidden_activation", "tanh"),
    ("classifier_pooling", "max"),
    ("norm_bias", 1),
  ],
)
def test_what_is_not_supported_is_refused(field, value, tmp_path):
  config = BASE | {field: value}
  if field == "rope_type":
    config = BASE | {"rope_parameters": {"full_attention": {field: value}}}
  with pytest.raises(UsageError, match=f"{field}="):
    published.describe(tmp_path, config)


@pytest.mark.parametrize(
  "changes",
  [
    {"windows": (0,)},
    {"windows": (1, 0)},
    {"bias": True},
    {"bias": True, "bias_except": ("qkv", "out")},
    {"bias_except": ("out", "qkv")},
    {"activation": "geglu", "output_activation": ""},
    {"activation": "reglu", "norm_bias": True},
    {"local_rotary_base": 160000.0},
    {"local_rotary_base": 0.0},
  ],
)
def test_a_trunk_that_fits_fits(changes):
  trunk = dataclasses.replace(TRUNK, **changes)
  assert write_lib.misfits(ModernBert(), trunk) == []


@pytest.mark.parametrize(
  "changes",
  [
    {"windows": (0, 9, 5)},
    {"activation": "gelu"},
    {"bias_except": ("qkv",)},
    {"norm": "rmsnorm"},
    {"first_norm": True},
    {"kv_heads": 3},
    {"rotary_scaling": (2.0,)},
    {"token_types": 2},
  ],
)
def test_what_it_cannot_say_is_told(changes):
  (name,) = changes
  trunk = dataclasses.replace(TRUNK, **changes)
  told = write_lib.misfits(ModernBert(), trunk)
  assert any(line.startswith(f"--trunk.{name}=") for line in told)


def test_special_tokens_have_its_names():
  assert ModernBert().tokens(Specials(pad=-1, boundary=1, separator=2)) == {
    "bos_token_id": 1,
    "cls_token_id": 1,
    "eos_token_id": 2,
    "sep_token_id": 2,
  }
