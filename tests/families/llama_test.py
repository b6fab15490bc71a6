"""LLaMA's rotary positions."""

import published
import pytest

from lm_jax.families.llama import Llama
from lm_jax.hugging_face import write as write_lib

SECOND = published.config("llama-2-7b")


@pytest.mark.parametrize(
  ("fields", "base", "scaling"),
  [
    ({}, 10000.0, ()),
    ({"rope_theta": 1e6}, 1e6, ()),
    ({"rope_scaling": {"type": "linear", "factor": 4}}, 10000.0, (4.0,)),
    ({"rope_parameters": {"rope_type": "default", "rope_theta": 5e5}}, 5e5, ()),
    (
      # The last words of Transformers: rope_scaling, and the length outside.
      {
        "rope_theta": 1e6,
        "original_max_position_embeddings": 512,
        "rope_parameters": {"rope_type": "default"},
        "rope_scaling": {
          "rope_type": "llama3",
          "rope_theta": 2e6,
          "factor": 2.0,
          "low_freq_factor": 1.0,
          "high_freq_factor": 4.0,
        },
      },
      2e6,
      (2.0, 1.0, 4.0, 512.0),
    ),
  ],
)
def test_rotary_positions_are_told_in_many_ways(
  fields, base, scaling, tmp_path
):
  trunk = published.describe(tmp_path, SECOND | fields).trunk
  assert (trunk.rotary_base, trunk.rotary_scaling) == (base, scaling)
  assert write_lib.misfits(Llama(), trunk) == []
