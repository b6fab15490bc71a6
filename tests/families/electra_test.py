"""ELECTRA's published configurations: discriminators and generators."""

import dataclasses

import published
import pytest

from lm_jax.families.electra import Electra
from lm_jax.hugging_face import write as write_lib
from lm_jax.models.sizes import PRESETS
from lm_jax.objectives.rtd import shrink
from lm_jax.support.errors import UsageError
from lm_jax.types import Head, Trunk

SMALL = {  # google/electra-small-discriminator
  "architectures": ["ElectraForPreTraining"],
  "attention_probs_dropout_prob": 0.1,
  "embedding_size": 128,
  "hidden_act": "gelu",
  "hidden_dropout_prob": 0.1,
  "hidden_size": 256,
  "initializer_range": 0.02,
  "intermediate_size": 1024,
  "layer_norm_eps": 1e-12,
  "max_position_embeddings": 512,
  "model_type": "electra",
  "num_attention_heads": 4,
  "num_hidden_layers": 12,
  "pad_token_id": 0,
  "position_embedding_type": "absolute",
  "summary_activation": "gelu",
  "summary_last_dropout": 0.1,
  "summary_type": "first",
  "summary_use_proj": True,
  "type_vocab_size": 2,
  "vocab_size": 30522,
}
BASE = {
  "embedding_size": 768,
  "hidden_size": 768,
  "intermediate_size": 3072,
  "num_attention_heads": 12,
}
TRUNK = Trunk(
  architecture="encoder",
  layers=12,
  width=256,
  embedding_width=128,
  heads=4,
  feedforward=1024,
  vocabulary=30522,
  max_positions=512,
  token_types=2,
  norm_placement="post",
  norm_epsilon=1e-12,
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


@pytest.mark.parametrize(
  ("architecture", "changes", "count"),
  [
    ("ElectraForPreTraining", {}, 13_549_057),
    ("ElectraForMaskedLM", {}, 13_546_682),
    ("ElectraForPreTraining", BASE, 109_483_009),
    ("ElectraForMaskedLM", {"embedding_size": 768}, 33_740_602),  # base
  ],
)
def test_sizes_are_the_published_ones(architecture, changes, count, tmp_path):
  config = SMALL | {"architectures": [architecture]} | changes
  assert published.parameters(published.describe(tmp_path, config)) == count


def test_a_published_configuration_is_read(tmp_path):
  model = published.describe(tmp_path, SMALL)
  assert model.trunk == TRUNK
  assert model.outputs == {"replaced": Head(1, transform="trunk")}
  assert published.describe(tmp_path, {"model_type": "electra"}).trunk == TRUNK


@pytest.mark.parametrize(
  ("field", "value"),
  [
    ("summary_type", "mean"),
    ("summary_use_proj", False),
    ("summary_activation", "linear"),
    ("position_embedding_type", "relative_key"),
    ("is_decoder", True),
    ("architectures", ["ElectraForCausalLM"]),
  ],
)
def test_what_is_not_supported_is_refused(field, value, tmp_path):
  values = SMALL | {field: value}
  if field.startswith("summary"):  # Elsewhere it has no effect.
    assert published.describe(tmp_path, values).trunk == TRUNK
    values["architectures"] = ["ElectraForMultipleChoice"]
  with pytest.raises(UsageError, match=f"{field}="):
    published.describe(tmp_path, values)


def test_both_models_of_replaced_token_detection_fit():
  family = Electra()
  main = dataclasses.replace(
    PRESETS["electra"], architecture="encoder", vocabulary=31, max_positions=16
  )
  head = {"replaced": Head(1, transform="trunk")}
  model = write_lib.model_of(family, main, head)
  assert model.architecture == "ElectraForPreTraining"
  assert family.objective_for(main, head) == "rtd"
  small = shrink(main, 0.25)
  model = write_lib.model_of(family, small, {"vocabulary": None})
  assert model.architecture == "ElectraForMaskedLM"
  assert family.objective_for(small, model.outputs) == "mlm"
  # The generator's own activation is fixed.
  relu = dataclasses.replace(main, activation="relu")
  (told,) = write_lib.misfits(family, relu)
  assert told == "--trunk.output_activation=(empty) is gelu in ELECTRA"
