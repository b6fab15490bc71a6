"""GPT-2's files as they are published."""

import dataclasses

import flax.linen as nn
import published
import pytest
import toy

from lm_jax.hugging_face import read as read_lib
from lm_jax.hugging_face import write as write_lib
from lm_jax.hugging_face.weights import Weights, write

PUBLISHED = published.config("gpt2")
TINY = {"n_embd": 8, "n_head": 2, "n_layer": 2, "vocab_size": 11}


@pytest.mark.parametrize("how", ["short", "moved"])
def test_a_file_with_other_names_is_the_same_model(how, tmp_path):
  """GPT-2's own names carry no prefix; the table may be the head's, too."""
  model = published.describe(tmp_path, PUBLISHED | TINY)
  change = {
    "short": True,
    "moved": {"transformer.wte.weight": "lm_head.weight"},
  }
  other = dataclasses.replace(model, **{how: change[how]})
  params = toy.draw(nn.meta.unbox(model.boxed))
  write(tmp_path, write_lib.tensors(other, params))
  with Weights(tmp_path) as weights:
    present = set(weights.names())
    assert present != set(model.tensors)
    found = read_lib.match(read_lib.describe(tmp_path), weights)
    assert found.architecture == "GPT2LMHeadModel"
    assert set(found.outputs) == {"vocabulary"}
    assert set(found.tensors) == present
