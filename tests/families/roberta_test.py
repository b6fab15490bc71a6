"""RoBERTa's and XLM-RoBERTa's published configurations."""

import dataclasses

import published
import pytest

from lm_jax.families.roberta import Roberta
from lm_jax.hugging_face import write as write_lib
from lm_jax.support.errors import UsageError
from lm_jax.types import Head, Specials, Trunk

BASE = {  # roberta-base
  "architectures": ["RobertaForMaskedLM"],
  "attention_probs_dropout_prob": 0.1,
  "bos_token_id": 0,
  "eos_token_id": 2,
  "hidden_act": "gelu",
  "hidden_dropout_prob": 0.1,
  "hidden_size": 768,
  "initializer_range": 0.02,
  "intermediate_size": 3072,
  "layer_norm_eps": 1e-05,
  "max_position_embeddings": 514,
  "model_type": "roberta",
  "num_attention_heads": 12,
  "num_hidden_layers": 12,
  "pad_token_id": 1,
  "type_vocab_size": 1,
  "vocab_size": 50265,
}
TRUNK = Trunk(
  architecture="encoder",
  layers=12,
  width=768,
  heads=12,
  feedforward=3072,
  vocabulary=50265,
  max_positions=512,
  position_offset=2,
  token_types=1,
  norm_placement="post",
  embedding_norm=True,
  positions="learned",
  activation="gelu",
  bias=True,
  output_bias=True,
  output_transform=True,
  output_activation="gelu",
  dropout=0.1,
  attention_dropout=0.1,
)
POOLER = 768 * 768 + 768
MULTILINGUAL = {  # xlm-roberta-base
  **BASE,
  "architectures": ["XLMRobertaForMaskedLM"],
  "model_type": "xlm-roberta",
  "output_past": True,
  "position_embedding_type": "absolute",
  "use_cache": True,
  "vocab_size": 250002,
}


@pytest.mark.parametrize(
  ("config", "count"), [(BASE, 124_697_433), (MULTILINGUAL, 278_295_186)]
)
def test_a_published_configuration_is_read(config, count, tmp_path):
  model = published.describe(tmp_path, config)
  vocabulary = config["vocab_size"]
  assert model.trunk == dataclasses.replace(TRUNK, vocabulary=vocabulary)
  # The files have a pooler, too, which that count leaves out.
  assert set(model.outputs) == {"vocabulary", "pooler"}
  assert published.parameters(model) - POOLER == count
  assert model.family.base_classes[0].startswith(config["architectures"][0][:7])


def test_what_is_left_out_is_as_they_have_it(tmp_path):
  found = published.describe(tmp_path, {"model_type": "roberta"}).trunk
  assert found == dataclasses.replace(
    TRUNK, max_positions=510, token_types=2, norm_epsilon=1e-12
  )
  other = published.describe(tmp_path, {"model_type": "xlm-roberta"})
  assert other.trunk == dataclasses.replace(found, vocabulary=30522)
  assert other.architecture == "XLMRobertaModel"


@pytest.mark.parametrize(
  ("field", "value"),
  [
    ("position_embedding_type", "relative_key_query"),
    ("is_decoder", True),
    ("pad_token_id", -1),
    ("max_position_embeddings", 2),
    ("architectures", ["RobertaForCausalLM"]),
  ],
)
def test_what_is_not_supported_is_refused(field, value, tmp_path):
  with pytest.raises(UsageError, match=f"{field}="):
    published.describe(tmp_path, BASE | {field: value})


def test_positions_follow_the_padding():
  """A tokenizer of ours pads with 0: the first position has row 1."""
  family = Roberta()
  ours = dataclasses.replace(TRUNK, position_offset=1)
  assert write_lib.misfits(family, ours) == []
  config = family.config(ours)
  assert config["pad_token_id"] == family.tokens(Specials())["pad_token_id"]
  assert config["max_position_embeddings"] == 513
  none = dataclasses.replace(TRUNK, position_offset=0)
  (told,) = write_lib.misfits(family, none)
  assert told == "--trunk.position_offset=0 is 1 in RoBERTa"
  head = Head(3, "first", "tanh")
  model = write_lib.model_of(family, TRUNK, {"classification": head})
  assert model.architecture == "RobertaForSequenceClassification"
