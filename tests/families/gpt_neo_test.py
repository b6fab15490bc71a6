"""GPT-Neo's published configuration, and its kinds of layers."""

import dataclasses

import published
import pytest

from lm_jax.families._fields import Fields
from lm_jax.families.gpt_neo import GptNeo
from lm_jax.hugging_face import write as write_lib
from lm_jax.support.errors import UsageError
from lm_jax.types import Trunk

PUBLISHED = {
  "activation_function": "gelu_new",
  "architectures": ["GPTNeoForCausalLM"],
  "attention_dropout": 0,
  "attention_layers": ["global", "local"] * 6,
  "attention_types": [[["global", "local"], 6]],
  "bos_token_id": 50256,
  "embed_dropout": 0,
  "eos_token_id": 50256,
  "gradient_checkpointing": False,
  "hidden_size": 768,
  "initializer_range": 0.02,
  "intermediate_size": None,
  "layer_norm_epsilon": 1e-05,
  "max_position_embeddings": 2048,
  "model_type": "gpt_neo",
  "num_heads": 12,
  "num_layers": 12,
  "resid_dropout": 0,
  "use_cache": True,
  "vocab_size": 50257,
  "window_size": 256,
}
TRUNK = Trunk(
  layers=12,
  width=768,
  heads=12,
  feedforward=3072,
  vocabulary=50257,
  max_positions=2048,
  positions="learned",
  attention_scaling=False,
  bias=True,
  bias_except=("qkv",),
  types_are_tokens=True,
  windows=(0, 256) * 6,
)


def test_the_published_configuration_is_read(tmp_path):
  model = published.describe(tmp_path, PUBLISHED)
  assert model.trunk == TRUNK
  assert published.parameters(model) == 125_198_592
  left_out = published.describe(tmp_path, {"model_type": "gpt_neo"})
  assert left_out.trunk == dataclasses.replace(
    TRUNK,
    layers=24,
    width=2048,
    heads=16,
    feedforward=8192,
    windows=(0, 256) * 12,
  )
  assert published.parameters(left_out) == 1_315_575_808


def test_layers_may_come_in_any_order():
  """The list is taken before the runs, as Transformers does."""
  runs = {"num_layers": 3, "window_size": 9}
  runs["attention_types"] = [[["local"], 2], [["global"], 1]]

  def windows(fields):
    return GptNeo().trunk(Fields(fields, "test")).windows

  assert windows(runs) == (9, 9, 0)
  listed = ["global", "local", "local"]
  assert windows(runs | {"attention_layers": listed}) == (0, 9, 9)


@pytest.mark.parametrize(
  "windows", [(0,), (5,), (0, 5), (5, 0, 0), (0, 5, 5, 0)]
)
def test_every_pattern_of_one_window_goes_back(windows):
  trunk = dataclasses.replace(TRUNK, layers=5, windows=windows)
  assert write_lib.misfits(GptNeo(), trunk) == []
  two = dataclasses.replace(TRUNK, windows=(5, 7))
  assert len(write_lib.misfits(GptNeo(), two)) == 1


@pytest.mark.parametrize(
  ("field", "value"),
  [
    ("attention_layers", ["global"] * 11),
    ("attention_layers", ["global"] * 11 + ["sparse"]),
    ("activation_function", "mish"),
    ("window_size", 0),
  ],
)
def test_what_is_not_supported_is_refused(field, value, tmp_path):
  with pytest.raises(UsageError, match=f"{field}="):
    published.describe(tmp_path, PUBLISHED | {field: value})


@pytest.mark.parametrize(
  "types",
  [
    [["global"]],
    "local",
    [["global", 12]],
    [[["global"], "12"]],
    [[["global"], 11]],
  ],
)
def test_runs_that_make_no_sense_are_refused(types, tmp_path):
  config = PUBLISHED | {"attention_layers": None, "attention_types": types}
  with pytest.raises(UsageError, match="attention_types="):
    published.describe(tmp_path, config)
