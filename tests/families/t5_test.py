"""T5: what its configurations leave open, and its preset."""

import dataclasses

import published

from lm_jax.families.t5 import T5
from lm_jax.hugging_face import read as read_lib
from lm_jax.hugging_face import write as write_lib
from lm_jax.models import sizes
from lm_jax.types import Head

# As Transformers writes version 1.1 today.
RESAVED = published.config("flan-t5-small") | {
  "tie_word_embeddings": True,
  "scale_decoder_outputs": False,
}


def test_what_a_configuration_leaves_open_is_read_both_ways(tmp_path):
  name = "T5ForConditionalGeneration"
  published.describe(tmp_path, RESAVED)
  every = read_lib.describe(tmp_path)
  found = [model for model in every if model.architecture == name]
  assert [model.trunk.tied for model in found] == [True, False]
  assert not any(model.trunk.output_scaling for model in found)
  assert ["lm_head.weight" in model.tensors for model in found] == [False, True]


TRUNK = dataclasses.replace(
  sizes.PRESETS["t5"], architecture="encoder_decoder", encoder_layers=3
)


def test_the_preset_fits_and_its_encoder_alone():
  assert write_lib.misfits(T5(), TRUNK) == []
  lm = write_lib.model_of(T5(), TRUNK, {"vocabulary": None})
  assert lm.architecture == "T5ForConditionalGeneration"
  part = dataclasses.replace(TRUNK, architecture="encoder")
  for outputs, name in (
    ({}, "T5EncoderModel"),
    ({"tokens": Head(3)}, "T5ForTokenClassification"),
  ):
    assert write_lib.model_of(T5(), part, outputs).architecture == name
