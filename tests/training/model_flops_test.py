"""A program's model FLOPs against the dots of its own gradient."""

import jax
import pytest
import toy

from lm_jax.training import flops

# The options that change what is multiplied, all at once, and a scan.
RICH = {
  "layers": 2,
  "scan": True,
  "embedding_width": 24,
  "activation": "swiglu",
  "kv_heads": 1,
  "output_transform": True,
}


def _ratio(program):
  """Program.flops by the dots of the jaxpr of its gradient."""
  loss_key, dropout_key = jax.random.split(jax.random.key(0))
  problem = toy.abstract_problem(program)
  jaxpr = jax.make_jaxpr(program._gradients)(
    program.abstract.params, problem, loss_key, dropout_key
  )
  return program.flops / flops.dots(jaxpr)


# The promise is one per cent; a missing head would hide in that.
def _exact(ratio):
  return ratio == pytest.approx(1, abs=1e-3)


CASES = [(*arm, RICH) for arm in toy.ARMS] + [
  (*arm, {})
  for arm in toy.ARMS
  if arm[1] == toy.objective_class(arm[0]).natural
]


@pytest.mark.parametrize(("name", "architecture", "trunk"), CASES)
def test_flops_are_the_dots_of_the_plain_gradient(name, architecture, trunk):
  program = toy.program(name, architecture, attention="plain", **trunk)
  ratio = _ratio(program)
  print(f"{name} {architecture} {ratio:.4f}")
  assert _exact(ratio)


@pytest.mark.parametrize(
  "trunk",
  [
    {"activation": "geglu", "head_width": 8, "bias": True},
    {"embedding_width": 24, "tied": False},
    {"embedding_width": 24, "heads": 4, "kv_heads": 2},
    {"output_transform": True, "encoder_layers": 2},
    {"windows": (4, 0), "layers": 4, "scan": True, "positions": "relative"},
    {
      "layers": 2,
      "encoder_heads": 4,
      "encoder_feedforward": 24,
      "head_width": 12,
      "activation": "geglu_exact",
    },
    {
      "layers": 2,
      "sharing": (0, 0),
      "activation": "reglu",
      "bias": True,
      "bias_except": ("qkv", "down"),
      "attention_scaling": False,
    },
    {
      "layers": 2,
      "positions": "learned",
      "position_offset": 2,
      "encoder_embeddings": True,
      "embedding_norm": True,
      "embedding_scaling": True,
      "output_scaling": True,
      "embedding_width": 24,
    },
    {
      "layers": 2,
      "first_norm": False,
      "norm_bias": False,
      "depth_scaling": True,
      "windows": (4, 0),
      "local_rotary_base": 100.0,
      "rotary_scaling": (2.0, 1.0, 4.0, 16.0),
      "output_transform": True,
      "output_transform_bias": False,
      "output_activation": "tanh",
    },
  ],
)
def test_flops_follow_each_option(trunk):
  for name, architecture in (
    ("span_corruption", "encoder_decoder"),
    ("rtd", "encoder"),
  ):
    assert _exact(
      _ratio(toy.program(name, architecture, attention="plain", **trunk))
    )


def test_flops_of_xlnet_are_a_little_more_than_its_dots():
  """Distances have no gradient, so that their projection has but two dots."""
  options = {"positions": "xlnet", "query_embedding": True, "head_width": 12}
  program = toy.program("permutation_lm", "encoder", layers=2, **options)
  ratio = _ratio(program)
  heads_width = 2 * options["head_width"]
  stream = toy.LENGTH + toy.LENGTH // 6
  spare = 2 * 2 * (2 * stream - 1) * 32 * heads_width
  assert 1 < ratio < 1.01
  assert program.flops * (1 - 1 / ratio) == pytest.approx(spare)


def test_flops_do_not_depend_on_how_they_are_computed():
  length = 128  # long enough for blocks of queries
  plain = toy.program("clm", attention="plain", length=length, layers=2)
  for options in (
    {"attention": "blocked"},
    {"attention": "auto", "remat": "full", "scan": True},
  ):
    other = toy.program("clm", length=length, layers=2, **options)
    assert other.flops == plain.flops
    assert not _exact(_ratio(other))  # so there was something to tell
  # How often this one computes its products is told by the segments.
  sparse = toy.program("clm", length=length, layers=2, attention="sparse")
  assert sparse.flops == plain.flops


def test_accumulation_costs_nothing():
  assert toy.program("rtd", accumulate=4).flops == toy.program("rtd").flops
  assert _exact(_ratio(toy.program("rtd", accumulate=4, attention="plain")))


def test_every_stream_is_charged():
  """ELECTRA's two stacks, XLNet's queries, T5's source."""
  rows, length = toy.BATCH, toy.LENGTH
  assert toy.program("clm").positions == rows * length
  assert toy.program("rtd").positions == 2 * rows * length
  assert toy.program("permutation_lm").positions == rows * (
    length + length // 6
  )
  program = toy.program("denoising", "encoder_decoder")
  problem = toy.abstract_problem(program)
  assert program.positions == (
    problem.inputs.tokens_BxT.size + problem.source.tokens_BxT.size
  )
