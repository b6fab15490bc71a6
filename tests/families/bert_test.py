"""BERT's files as they are published, and its classes."""

import dataclasses

import flax.linen as nn
import numpy as np
import published
import pytest
import toy

from lm_jax.devices.sharding import make_mesh
from lm_jax.families.bert import Bert
from lm_jax.hugging_face import read as read_lib
from lm_jax.hugging_face import write as write_lib
from lm_jax.hugging_face.weights import Weights, write
from lm_jax.models.sizes import PRESETS
from lm_jax.support.errors import UsageError
from lm_jax.types import Head, Specials

BASE = published.config("bert-base-uncased")
TINY = {
  "hidden_size": 8,
  "intermediate_size": 12,
  "num_attention_heads": 2,
  "num_hidden_layers": 2,
  "vocab_size": 11,
}


def test_a_classifier_has_the_labels_of_its_file(tmp_path):
  labels = {"id2label": {str(i): "x" for i in range(9)}}
  named = BASE | labels | {"architectures": ["BertForTokenClassification"]}
  assert published.describe(tmp_path, named).outputs["tokens"] == Head(9)
  bare = published.describe(tmp_path, {"model_type": "bert"})
  assert bare.architecture == "BertModel"


def test_the_file_of_2018_is_read(tmp_path):
  """It has TensorFlow's names, a pooler, and the pair's head besides."""
  model = published.describe(tmp_path, BASE | TINY)
  heads = {"vocabulary": None, "pair": Head(2, "first", "tanh")}
  whole = dataclasses.replace(
    model, architecture="BertForPreTraining", outputs=heads
  )
  params = toy.draw(nn.meta.unbox(whole.boxed))
  moved = {}
  for name in whole.tensors:
    old = name.replace("LayerNorm.weight", "LayerNorm.gamma")
    moved[name] = old.replace("LayerNorm.bias", "LayerNorm.beta")
  old = dataclasses.replace(whole, moved=moved)
  write(tmp_path, write_lib.tensors(old, params))
  with Weights(tmp_path) as weights:
    assert sum(name.endswith(".gamma") for name in weights.names()) == 6
    found = read_lib.match(read_lib.describe(tmp_path), weights)
    read = read_lib.parameters(found, weights, make_mesh())
  assert found.architecture == "BertForPreTraining"
  norm = "stack_main", "blocks", "layer_1", "attention_norm", "bias"
  one, two = params, read
  for key in norm:
    one, two = one[key], two[key]
  np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize(
  ("architecture", "name"),
  [
    ("BertForMaskedLM", "vocabulary"),
    ("BertForTokenClassification", "tokens"),
    ("BertForQuestionAnswering", "span"),
  ],
)
def test_a_pooler_that_is_not_used_is_kept(architecture, name, tmp_path):
  model = published.describe(
    tmp_path, BASE | TINY | {"architectures": [architecture]}
  )
  assert set(model.outputs) == {name, "pooler"}
  write(
    tmp_path, write_lib.tensors(model, toy.draw(nn.meta.unbox(model.boxed)))
  )
  with Weights(tmp_path) as weights:
    found = read_lib.match(read_lib.describe(tmp_path), weights)
    assert "bert.pooler.dense.weight" in found.tensors
    assert set(found.tensors) == set(weights.names())


def test_what_is_trained_here_has_a_class():
  family = Bert()
  preset = dataclasses.replace(
    PRESETS["bert"], architecture="encoder", vocabulary=31, max_positions=16
  )
  pair = Head(2, "first", "tanh")
  for outputs, architecture in (
    ({"vocabulary": None}, "BertForMaskedLM"),
    ({"vocabulary": None, "pair": pair}, "BertForPreTraining"),
    ({}, "BertModel"),
  ):
    model = write_lib.model_of(family, preset, outputs)
    assert model.architecture == architecture
  with pytest.raises(UsageError, match="no class with the outputs replaced"):
    write_lib.model_of(family, preset, {"replaced": Head(1)})
  assert family.tokens(Specials(pad=-1)) == {}
