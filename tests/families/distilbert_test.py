"""DistilBERT's published configuration."""

import dataclasses

import published
import pytest

from lm_jax.families.distilbert import DistilBert
from lm_jax.hugging_face import write as write_lib
from lm_jax.support.errors import UsageError
from lm_jax.types import Trunk

BASE = {  # distilbert-base-uncased
  "activation": "gelu",
  "architectures": ["DistilBertForMaskedLM"],
  "attention_dropout": 0.1,
  "dim": 768,
  "dropout": 0.1,
  "hidden_dim": 3072,
  "initializer_range": 0.02,
  "max_position_embeddings": 512,
  "model_type": "distilbert",
  "n_heads": 12,
  "n_layers": 6,
  "pad_token_id": 0,
  "qa_dropout": 0.1,
  "seq_classif_dropout": 0.2,
  "sinusoidal_pos_embds": False,
  "tie_weights_": True,
  "transformers_version": "4.10.0.dev0",
  "vocab_size": 30522,
}
TRUNK = Trunk(
  architecture="encoder",
  layers=6,
  width=768,
  heads=12,
  feedforward=3072,
  vocabulary=30522,
  max_positions=512,
  norm_placement="post",
  norm_epsilon=1e-12,
  embedding_norm=True,
  positions="learned",
  activation="gelu",
  bias=True,
  output_bias=True,
  output_transform=True,
  dropout=0.1,
  attention_dropout=0.1,
)


def test_a_published_configuration_is_read(tmp_path):
  model = published.describe(tmp_path, BASE)
  assert model.trunk == TRUNK
  assert published.parameters(model) == 66_985_530
  bare = published.describe(tmp_path, {"model_type": "distilbert"})
  assert bare.trunk == TRUNK
  assert published.parameters(bare) == 66_362_880
  second = {"model_type": "distilbert", "hidden_size": 384, "n_heads": 6}
  found = published.describe(tmp_path, second).trunk
  assert found == dataclasses.replace(TRUNK, width=384, heads=6)


@pytest.mark.parametrize(
  ("field", "value"), [("activation", "selu"), ("dim", 0), ("n_heads", 1.5)]
)
def test_what_is_not_supported_is_refused(field, value, tmp_path):
  with pytest.raises(UsageError, match=f"{field}="):
    published.describe(tmp_path, BASE | {field: value})


def test_what_it_cannot_say_is_told():
  trunk = dataclasses.replace(TRUNK, norm_epsilon=1e-5, token_types=2)
  assert write_lib.misfits(DistilBert(), trunk) == [
    "--trunk.norm_epsilon=1e-05 is 1e-12 in DistilBERT",
    "--trunk.token_types=2 is 0 in DistilBERT",
  ]
