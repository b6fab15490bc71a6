"""BART: what its configurations leave open, and its preset."""

import dataclasses

import published

from lm_jax.families.bart import Bart
from lm_jax.hugging_face import read as read_lib
from lm_jax.hugging_face import write as write_lib
from lm_jax.models import sizes


def test_a_file_may_go_without_the_output_bias(tmp_path):
  published.describe(tmp_path, published.config("bart-large-cnn"))
  models = read_lib.describe(tmp_path)[:2]
  assert ["final_logits_bias" in m.tensors for m in models] == [True, False]


def test_the_preset_fits():
  trunk = dataclasses.replace(
    sizes.PRESETS["bart"], architecture="encoder_decoder"
  )
  assert write_lib.misfits(Bart(), trunk) == []
