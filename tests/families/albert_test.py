"""ALBERT's published configurations, and its groups of layers."""

import dataclasses

import published
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lm_jax.families._fields import Fields
from lm_jax.families.albert import Albert
from lm_jax.hugging_face import write as write_lib
from lm_jax.support.errors import UsageError
from lm_jax.types import Head, Trunk

BASE = {  # albert-base-v2
  "architectures": ["AlbertForMaskedLM"],
  "attention_probs_dropout_prob": 0,
  "bos_token_id": 2,
  "classifier_dropout_prob": 0.1,
  "down_scale_factor": 1,
  "embedding_size": 128,
  "eos_token_id": 3,
  "gap_size": 0,
  "hidden_act": "gelu_new",
  "hidden_dropout_prob": 0,
  "hidden_size": 768,
  "initializer_range": 0.02,
  "inner_group_num": 1,
  "intermediate_size": 3072,
  "layer_norm_eps": 1e-12,
  "max_position_embeddings": 512,
  "model_type": "albert",
  "net_structure_type": 0,
  "num_attention_heads": 12,
  "num_hidden_groups": 1,
  "num_hidden_layers": 12,
  "num_memory_blocks": 0,
  "pad_token_id": 0,
  "type_vocab_size": 2,
  "vocab_size": 30000,
}
TRUNK = Trunk(
  architecture="encoder",
  layers=12,
  sharing=(0,) * 12,
  width=768,
  embedding_width=128,
  heads=12,
  feedforward=3072,
  vocabulary=30000,
  max_positions=512,
  token_types=2,
  norm_placement="post",
  norm_epsilon=1e-12,
  embedding_norm=True,
  positions="learned",
  activation="gelu_tanh",
  bias=True,
  output_bias=True,
  output_transform=True,
)


def test_a_published_configuration_is_read(tmp_path):
  model = published.describe(tmp_path, BASE)
  assert model.trunk == TRUNK
  bare = BASE | {"architectures": ["AlbertModel"]}
  assert published.parameters(published.describe(tmp_path, bare)) == 11_683_584
  largest = published.describe(tmp_path, {"model_type": "albert"})
  assert published.parameters(largest) == 222_595_584  # xxlarge
  assert largest.trunk.heads == 64


@pytest.mark.parametrize(
  ("field", "value"),
  [
    ("embedding_size", 768),
    ("num_hidden_groups", 13),
    ("inner_group_num", 0),
    ("position_embedding_type", "relative_key"),
    ("hidden_act", "mish"),
  ],
)
def test_what_is_not_supported_is_refused(field, value, tmp_path):
  with pytest.raises(UsageError, match=f"{field}="):
    published.describe(tmp_path, BASE | {field: value})


@given(st.integers(1, 13), st.data())
def test_groups_are_said_as_they_are_read(steps, data):
  groups = data.draw(st.integers(1, steps))
  inner = data.draw(st.integers(1, 3))
  values = {
    "num_hidden_layers": steps,
    "num_hidden_groups": groups,
    "inner_group_num": inner,
  }
  family = Albert()
  trunk = family.trunk(Fields(values, "config.json"))
  assert trunk.layers == len(trunk.sharing) == steps * inner
  assert set(trunk.sharing) == set(range(groups * inner))
  assert write_lib.misfits(family, trunk) == []


def test_which_layers_share_what():
  values = {"num_hidden_layers": 4, "num_hidden_groups": 2}
  family = Albert()
  fields = Fields(values | {"inner_group_num": 2}, "config.json")
  trunk = family.trunk(fields)
  assert trunk.sharing == (0, 1, 0, 1, 2, 3, 2, 3)
  names = {
    rule.theirs.rpartition(".attention.query.")[0]: rule.ours[0].split(".")[2]
    for rule in family.tensors(trunk)
    if ".attention.query.weight" in rule.theirs
  }
  layer = "encoder.albert_layer_groups.{}.albert_layers.{}"
  assert names == {
    layer.format(0, 0): "layer_0",
    layer.format(0, 1): "layer_1",
    layer.format(1, 0): "layer_2",
    layer.format(1, 1): "layer_3",
  }


def test_what_it_can_and_cannot_say():
  family = Albert()
  own = dataclasses.replace(TRUNK, sharing=())
  assert write_lib.misfits(family, own) == []
  assert family.config(own)["num_hidden_groups"] == 12
  strange = dataclasses.replace(TRUNK, sharing=(0, 1) * 6)
  assert family.config(strange)["inner_group_num"] == 2
  strange = dataclasses.replace(TRUNK, sharing=(0, 1, 1) + (0,) * 9)
  (told,) = write_lib.misfits(family, strange)
  assert told.startswith("--trunk.sharing=0,1,1,0,")
  (told,) = write_lib.misfits(
    family, dataclasses.replace(TRUNK, embedding_width=0)
  )
  assert "--trunk.embedding_width=384 would fit" in told
  pair = {"vocabulary": None, "pair": Head(2, "first", "tanh")}
  model = write_lib.model_of(family, TRUNK, pair)
  assert model.architecture == "AlbertForPreTraining"
  assert family.objective_for(TRUNK, pair) == "mlm_sop"
