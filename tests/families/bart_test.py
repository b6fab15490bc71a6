"""BART: what its configurations leave open."""

import published

from lm_jax.hugging_face import read as read_lib


def test_a_file_may_go_without_the_output_bias(tmp_path):
  published.describe(tmp_path, published.config("bart-large-cnn"))
  models = read_lib.describe(tmp_path)[:2]
  assert ["final_logits_bias" in m.tensors for m in models] == [True, False]
