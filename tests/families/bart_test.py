"""BART, mBART and M2M-100: the configurations of the released models."""

import dataclasses
import json
import math

import pytest

from lm_jax.families.bart import Bart
from lm_jax.hugging_face import read as read_lib
from lm_jax.hugging_face import write as write_lib
from lm_jax.models import sizes
from lm_jax.support.errors import UsageError

BASE = {
  "activation_dropout": 0.1,
  "activation_function": "gelu",
  "add_bias_logits": False,
  "add_final_layer_norm": False,
  "architectures": ["BartModel"],
  "attention_dropout": 0.1,
  "bos_token_id": 0,
  "classif_dropout": 0.1,
  "classifier_dropout": 0.0,
  "d_model": 768,
  "decoder_attention_heads": 12,
  "decoder_ffn_dim": 3072,
  "decoder_layerdrop": 0.0,
  "decoder_layers": 6,
  "decoder_start_token_id": 2,
  "dropout": 0.1,
  "early_stopping": True,
  "encoder_attention_heads": 12,
  "encoder_ffn_dim": 3072,
  "encoder_layerdrop": 0.0,
  "encoder_layers": 6,
  "eos_token_id": 2,
  "forced_eos_token_id": 2,
  "gradient_checkpointing": False,
  "id2label": {"0": "LABEL_0", "1": "LABEL_1", "2": "LABEL_2"},
  "init_std": 0.02,
  "is_encoder_decoder": True,
  "max_position_embeddings": 1024,
  "model_type": "bart",
  "normalize_before": False,
  "normalize_embedding": True,
  "num_hidden_layers": 6,
  "pad_token_id": 1,
  "scale_embedding": False,
  "use_cache": True,
  "vocab_size": 50265,
}
LARGE = {
  **BASE,
  "d_model": 1024,
  **{f"{stack}_layers": 12 for stack in ("encoder", "decoder")},
  **{f"{stack}_attention_heads": 16 for stack in ("encoder", "decoder")},
  **{f"{stack}_ffn_dim": 4096 for stack in ("encoder", "decoder")},
  "num_hidden_layers": 12,
}
CNN = {
  **LARGE,
  "architectures": ["BartForConditionalGeneration"],
  "force_bos_token_to_be_generated": True,
  "forced_bos_token_id": 0,
  "static_position_embeddings": False,
  "extra_pos_embeddings": 2,
  "vocab_size": 50264,
}
MNLI = {
  **LARGE,
  "_num_labels": 3,
  "architectures": ["BartForSequenceClassification"],
}
MBART = {
  **LARGE,
  "architectures": ["MBartForConditionalGeneration"],
  "add_final_layer_norm": True,
  "model_type": "mbart",
  "normalize_before": True,
  "scale_embedding": True,
  "vocab_size": 250027,
}
M2M = {
  **LARGE,
  "activation_function": "relu",
  "architectures": ["M2M100ForConditionalGeneration"],
  "decoder_layerdrop": 0.05,
  "encoder_layerdrop": 0.05,
  "model_type": "m2m_100",
  "scale_embedding": True,
  "vocab_size": 128112,
}


# With the biases of the vocabulary, which theirs count as a buffer.
@pytest.mark.parametrize(
  ("config", "parameters", "offset", "scaled"),
  [
    (BASE, 139_420_416, 2, False),
    (CNN, 406_290_432 + 50_264, 2, False),
    (MNLI, 407_344_131, 2, False),
    (MBART, 610_851_840 + 250_027, 2, True),
    (M2M, 483_905_536, 2, True),
  ],
  ids=["bart-base", "large-cnn", "large-mnli", "mbart-large-cc25", "m2m_418M"],
)
def test_a_released_model_has_its_size(
  config, parameters, offset, scaled, tmp_path
):
  (tmp_path / "config.json").write_text(json.dumps(config))
  model = read_lib.describe(tmp_path)[0]
  assert model.trunk.position_offset == offset
  assert model.trunk.embedding_scaling == scaled
  post = config["model_type"] == "bart"
  assert model.trunk.norm_placement == ("post" if post else "pre")
  assert sum(map(math.prod, model.shapes.values())) == parameters


def test_a_file_may_go_without_the_output_bias(tmp_path):
  (tmp_path / "config.json").write_text(json.dumps(CNN))
  models = read_lib.describe(tmp_path)[:2]
  assert ["final_logits_bias" in m.tensors for m in models] == [True, False]


def test_a_decoder_alone_is_refused(tmp_path):
  config = {**BASE, "is_decoder": True, "is_encoder_decoder": False}
  (tmp_path / "config.json").write_text(json.dumps(config))
  with pytest.raises(UsageError, match="is_decoder=true: must be false"):
    read_lib.describe(tmp_path)


def test_the_preset_fits():
  trunk = dataclasses.replace(
    sizes.PRESETS["bart"], architecture="encoder_decoder"
  )
  assert write_lib.misfits(Bart(), trunk) == []
