"""GPT's published configuration."""

import published
import pytest

from lm_jax.families.gpt import Gpt
from lm_jax.hugging_face import write as write_lib
from lm_jax.support.errors import UsageError
from lm_jax.types import Trunk

PUBLISHED = {
  "afn": "gelu",
  "architectures": ["OpenAIGPTLMHeadModel"],
  "attn_pdrop": 0.1,
  "embd_pdrop": 0.1,
  "initializer_range": 0.02,
  "layer_norm_epsilon": 1e-05,
  "model_type": "openai-gpt",
  "n_ctx": 512,
  "n_embd": 768,
  "n_head": 12,
  "n_layer": 12,
  "n_positions": 512,
  "n_special": 0,
  "predict_special_tokens": True,
  "resid_pdrop": 0.1,
  "summary_activation": None,
  "summary_first_dropout": 0.1,
  "summary_proj_to_labels": True,
  "summary_type": "cls_index",
  "summary_use_proj": True,
  "vocab_size": 40478,
}
TRUNK = Trunk(
  layers=12,
  width=768,
  heads=12,
  feedforward=3072,
  vocabulary=40478,
  max_positions=512,
  norm_placement="post",
  positions="learned",
  bias=True,
  types_are_tokens=True,
  dropout=0.1,
  attention_dropout=0.1,
)


def test_the_published_configuration_is_read(tmp_path):
  model = published.describe(tmp_path, PUBLISHED)
  assert model.trunk == TRUNK
  assert published.parameters(model) == 116_534_784


def test_what_is_not_supported_is_refused(tmp_path):
  with pytest.raises(UsageError, match="afn="):
    published.describe(tmp_path, PUBLISHED | {"afn": "gelu_new"})


def test_what_it_cannot_say_is_told():
  """Its feed-forward network is four times as wide as the model."""
  wrong = write_lib.misfits(Gpt(), Trunk(width=32, feedforward=96))
  assert "--trunk.feedforward=96 is 128 in GPT" in wrong
