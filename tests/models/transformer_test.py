"""The transformer against tests/helpers/reference.py, and its options."""

import dataclasses

import flax.linen as nn
import jax
import numpy as np
import pytest
import reference
import stack

from lm_jax.models.sizes import PRESETS
from lm_jax.types import Trunk


def _preset(name, **options):
  shape = {
    field: getattr(stack.BASE, field)
    for field in ("layers", "width", "feedforward", "vocabulary")
  }
  shape |= {"heads": 2, "max_positions": stack.BASE.max_positions}
  return dataclasses.replace(PRESETS[name], **shape | options)


VARIANTS = {
  "gpt2": _preset("gpt2"),
  "bert": _preset("bert", architecture="encoder"),
  "electra": _preset("electra", architecture="encoder", embedding_width=6),
  "xlnet": _preset("xlnet", architecture="encoder"),
  "t5": _preset("t5", architecture="encoder_decoder", relative_distance=8),
  "bart": _preset("bart", architecture="encoder_decoder", encoder_layers=1),
  "vaswani": stack.like(
    architecture="encoder_decoder",
    positions="sinusoidal",
    norm_placement="post",
    activation="relu",
    bias=True,
  ),
  "llama": stack.like(
    norm="rmsnorm", activation="swiglu", heads=4, kv_heads=2, tied=False
  ),
  "t5.1.1": stack.like(
    architecture="encoder_decoder",
    norm="rmsnorm",
    positions="relative",
    relative_buckets=8,
    relative_distance=8,
    activation="geglu",
    head_width=6,
    tied=False,
  ),
  "alibi": stack.like(
    positions="alibi", heads=4, windows=(3, 0), embedding_width=6
  ),
  "prefix relative": stack.like(
    architecture="prefix_decoder", positions="relative", relative_buckets=8
  ),
  "rotary cross": stack.like(
    architecture="encoder_decoder", activation="silu", kv_heads=1, bias=True
  ),
  "gpt-neo": stack.like(
    positions="learned",
    position_offset=2,
    attention_scaling=False,
    bias=True,
    bias_except=("qkv",),
    windows=(0, 3),
    types_are_tokens=True,
  ),
  "stanford": stack.like(positions="learned", layers=3, depth_scaling=True),
  # Of four wavelengths the last is divided, the third partly.
  "llama 3.1": stack.like(
    norm="rmsnorm",
    activation="reglu",
    rotary_base=40.0,
    rotary_scaling=(4.0, 0.5, 2.0, 32.0),
  ),
  "modernbert": stack.like(
    architecture="encoder",
    layers=3,
    first_norm=False,
    norm_bias=False,
    embedding_norm=True,
    windows=(0, 3),
    local_rotary_base=10.0,
    rotary_scaling=(2.5,),
    activation="geglu_exact",
    output_transform=True,
    output_transform_bias=False,
    output_activation="silu",
    output_bias=True,
  ),
  "albert": stack.like(
    architecture="encoder",
    layers=3,
    sharing=(0, 1, 0),
    embedding_width=6,
    norm_placement="post",
    activation="tanh",
    bias=True,
    bias_except=("out", "down"),
  ),
  "m2m": stack.like(
    architecture="encoder_decoder",
    positions="fairseq",
    position_offset=2,
    embedding_scaling=True,
    output_scaling=True,
    activation="relu",
    encoder_layers=1,
    encoder_heads=4,
    encoder_feedforward=12,
    bias_except=("up",),
  ),
  "mbart": stack.like(
    architecture="encoder_decoder",
    positions="learned",
    embedding_norm=True,
    encoder_embeddings=True,
    depth_scaling=True,
    first_norm=False,
    bias=True,
  ),
  "none": stack.like(
    positions="none",
    embedding_width=6,
    tied=False,
    output_bias=True,
    rotary_base=100.0,
  ),
}


@pytest.mark.parametrize("name", VARIANTS)
def test_forward_is_the_float64_reference(name):
  trunk = VARIANTS[name]
  inputs, source = stack.inputs(trunk)
  params = stack.params(trunk)
  hidden, logits = stack.run(trunk, params, inputs, source)
  exact = reference.Transformer(
    trunk, jax.tree.map(lambda x: np.asarray(x, np.float64), params)
  )
  expected = exact.hidden(inputs, source)
  scale = np.abs(expected).max()
  np.testing.assert_allclose(hidden, expected, atol=1e-5 * scale)
  expected = exact.logits(expected)
  scale = np.abs(expected).max()
  np.testing.assert_allclose(logits, expected, atol=1e-5 * scale)
  assert np.std(expected) > 0.05  # there is something to compare


# A value other than stack.BASE's for each option that the result depends on.
CHANGES = {
  "layers": 1,
  "width": 20,
  "heads": 4,
  "feedforward": 12,
  "vocabulary": 37,
  "kv_heads": 1,
  "head_width": 4,
  "embedding_width": 6,
  "encoder_layers": 1,
  "encoder_heads": 4,
  "encoder_feedforward": 12,
  "sharing": (0, 0),
  "norm": "rmsnorm",
  "norm_placement": "post",
  "norm_epsilon": 1e-1,
  "norm_bias": False,
  "first_norm": False,
  "embedding_norm": True,
  "embedding_scaling": True,
  "encoder_embeddings": True,
  "positions": "alibi",
  "position_offset": 2,
  "relative_buckets": 8,
  "relative_distance": 10,
  "rotary_base": 100.0,
  "local_rotary_base": 10.0,
  "rotary_scaling": (2.0,),
  "attention_scaling": False,
  "depth_scaling": True,
  "activation": "relu",
  "bias": True,
  "bias_except": ("down",),
  "tied": False,
  "output_scaling": True,
  "output_bias": True,
  "output_transform": True,
  "output_transform_bias": False,
  "output_activation": "tanh",
  "token_types": 2,
  "types_are_tokens": True,
  "query_embedding": True,
  "windows": (2, 0),
  "dtype": "bfloat16",
  "max_positions": 12,
  "dropout": 0.5,
  "attention_dropout": 0.5,
}
# How it is computed, not what; the rest of this file holds them to it. The
# embeddings of another stack are replaced-token detection's business, and
# the ranges of initial parameters show in them only.
SAME = {
  "remat",
  "scan",
  "attention",
  "embeddings",
  "initializer_range",
  "embedding_range",
}
# Under which other options an option says something.
WHERE = {
  "encoder_layers": {"architecture": "encoder_decoder"},
  "encoder_heads": {"architecture": "encoder_decoder"},
  "encoder_feedforward": {"architecture": "encoder_decoder"},
  "encoder_embeddings": {
    "architecture": "encoder_decoder",
    "positions": "learned",
  },
  "position_offset": {"positions": "sinusoidal"},
  "local_rotary_base": {"windows": (3, 0)},
  "output_transform_bias": {"output_transform": True},
  "output_activation": {"output_transform": True},
  "relative_buckets": {"positions": "relative"},
  "relative_distance": {"positions": "relative", "relative_buckets": 8},
  "max_positions": {"positions": "learned"},
}


def test_every_option_is_tested():
  fields = {field.name for field in dataclasses.fields(Trunk)}
  # Adaptations have tests of their own.
  assert fields == set(CHANGES) | SAME | {"architecture", "adaptation"}


@pytest.mark.parametrize("option", CHANGES)
def test_every_option_changes_something(option):
  before = stack.like(**WHERE.get(option, {}))
  after = dataclasses.replace(before, **{option: CHANGES[option]})
  if stack.differ(stack.shapes(before), stack.shapes(after)):
    return
  rngs = {"dropout": jax.random.key(0)} if "dropout" in option else None
  outputs = [
    np.asarray(
      stack.run(trunk, stack.params(trunk), *stack.inputs(trunk), rngs)[1]
    )
    for trunk in (before, after)
  ]
  assert np.abs(outputs[0] - outputs[1]).max() > 1e-3


@pytest.mark.parametrize("tables", [0.0, 0.4])
def test_the_initial_range_is_that_of_the_parameters(tables):
  for spread in (0.02, 0.2):
    trunk = stack.like(
      initializer_range=spread, embedding_range=tables, positions="learned"
    )
    init = jax.jit(nn.init(stack.forward, stack.network(trunk)))
    params = nn.meta.unbox(init(jax.random.key(0), *stack.inputs(trunk)))[
      "params"
    ]
    leaves = jax.tree_util.tree_leaves_with_path(params)
    for path, leaf in leaves:
      name = jax.tree_util.keystr(path, simple=True, separator="/")
      if "kernel" in name or "embedding" in name:
        own = tables if "embedding" in name else 0
        assert np.std(leaf) == pytest.approx(own or spread, rel=0.2), name
      else:
        assert np.all(leaf == (1 if name.endswith("scale") else 0)), name
