"""Adapted programs: what is trained, what it costs, what stays as it is."""

import dataclasses
import functools
import json
import math

import adapting
import devices_apart
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import toy
from flax.traverse_util import flatten_dict

from lm_jax.adaptation.base import is_own
from lm_jax.config import optimizer
from lm_jax.models import outputs
from lm_jax.models.unrolled import unrolled
from lm_jax.storage.digest import digest
from lm_jax.training import flops, frozen

BIASED = {"bias": True}
FAST = optimizer.OptimizerOptions(
  learning_rate=0.03, schedule="constant", warmup=0.0, weight_decay=0.0
)


def _program(name, objective="clm", **options):
  return adapting.program(objective, adapting.make(name), **BIASED, **options)


def _hidden(network, params, rows):
  return _jitted(network)({"params": params}, rows)


@functools.cache
def _jitted(network):
  def hidden(net, rows):
    spec = toy.program("clm").plan.spec
    problem = toy.objective_class("clm")().make(jax.random.key(0), rows, spec)
    return net.hidden(problem.inputs)

  return jax.jit(nn.apply(hidden, network))


@pytest.fixture(scope="module")
def base():
  """Parameters that know one text well, and another one a little."""
  program = toy.program("clm", optimizer=FAST, **BIASED)
  state = toy.start(program)
  for number in range(40):
    rows = adapting.documents(program, number)
    tokens = np.array(rows.tokens_BxL)
    tokens[::4] = _other_text(rows).tokens_BxL[::4]
    rows = dataclasses.replace(rows, tokens_BxL=tokens)
    state, _ = toy.step(program, state, rows)
  return state.params


def _other_text(rows):
  """The same words by other ids."""
  first = len(toy.SPECIALS.ids)
  order = np.random.default_rng(1).permutation(toy.VOCABULARY - first)
  tokens = np.asarray(rows.tokens_BxL)
  text = first + order[np.maximum(tokens - first, 0)]
  tokens = np.where(tokens >= first, text, tokens).astype(np.int32)
  return dataclasses.replace(rows, tokens_BxL=tokens)


@pytest.mark.parametrize("name", adapting.NAMES)
def test_it_learns_and_holds_the_model_fixed(name, base):
  program = _program(name, optimizer=FAST)
  program, state = adapting.start(program, base=base)
  names = flatten_dict(state.params, sep=".")
  held = program._held[0]
  before = digest(held)
  if name == "bitfit":
    assert all(path.endswith("bias") for path in names)
  elif name in adapting.OPTIONS:
    assert all(map(is_own, names))
  else:  # a new one says by `trains` what it trains besides
    assert all(map(program.plan.network.adaptation.trains, names))
  assert set(names) & set(flatten_dict(held, sep=".")) == set()
  assert program.parameters == sum(x.size for x in names.values())
  assert program.parameters < program.held_parameters
  # Two moments of each that is trained, and of nothing else.
  moments = [x for x in jax.tree.leaves(state.optimizer) if x.ndim]
  assert sum(x.size for x in moments) == 2 * program.parameters
  unseen = [_other_text(adapting.documents(program, 1000))]
  first = program.validation_loss(state.params, unseen)
  for number in range(30):
    rows = _other_text(adapting.documents(program, number))
    state, _ = adapting.step(program, state, rows)
  last = program.validation_loss(state.params, unseen)
  print(f"{name}: {first:.3f} -> {last:.3f}")
  assert last < first - 0.02
  assert digest(program._held[0]) == before


@pytest.mark.parametrize("name", adapting.NAMES)
def test_how_near_to_the_model_it_starts(name):
  program, state = adapting.start(_program(name))
  params, rows = program.all_params(state.params), adapting.documents(program)
  network = program.plan.network.clone(deterministic=True)
  found = _hidden(network, params, rows)
  plain = frozen.select_leaves(params, toy.program("clm", **BIASED).shapes)
  expected = _hidden(network.clone(adaptation=None), plain, rows)
  apart = float(np.abs(found - expected).max())
  print(f"{name}: {apart:.1e} of {np.abs(expected).max():.1e}")
  if name in ("lora", "bitfit"):
    assert apart == 0
  elif name == "dora":
    assert apart < 1e-5
  elif name == "adapter":
    assert 0 < apart < 0.05
  elif name in ("soft_prompt", "p_tuning_v2", "prefix_tuning"):
    assert apart > 1e-3
  else:  # a new one may start anywhere
    assert np.isfinite(apart)


@pytest.mark.parametrize("name", ["dora", "prefix_tuning"])
def test_accumulation_is_exact(name):
  whole, state = adapting.start(_program(name))
  parts, _ = adapting.start(_program(name, accumulate=4))
  rows = adapting.documents(whole)
  expected, metrics = adapting.step(whole, state, rows)
  found, others = adapting.step(parts, state, rows)
  assert float(metrics["loss"]) == pytest.approx(float(others["loss"]), 1e-5)
  for one, other in zip(
    jax.tree.leaves(found.params), jax.tree.leaves(expected.params), strict=True
  ):
    np.testing.assert_allclose(one, other, atol=1e-6)


def test_of_two_stacks_the_main_one_is_adapted():
  """What an objective has beside it is trained whole."""
  program, state = adapting.start(_program("lora", "rtd"))
  names = set(flatten_dict(state.params, sep="."))
  own = {name for name in names if is_own(name)}
  assert all(name.startswith("stack_main.") for name in own)
  assert {name.split(".")[0] for name in names - own} == {
    "heads_replaced",
    "output_generator",
    "stack_generator",
  } & set(program.shapes)
  assert "stack_generator" in state.params
  before = digest(program._held[0])
  after, metrics = adapting.step(program, state, adapting.documents(program))
  assert np.isfinite(float(metrics["loss"]))
  moved = jax.tree.map(
    lambda a, b: bool(np.any(a != b)), after.params, state.params
  )
  flat = flatten_dict(moved, sep=".")
  # A has no gradient while B is 0.
  still = {name for name, there in flat.items() if not there}
  assert all(name.endswith("down.kernel") for name in still & own)
  assert not still - own
  assert digest(program._held[0]) == before


def test_a_step_that_is_not_finite_changes_nothing():
  program, state = adapting.start(_program("lora"))
  rows = adapting.documents(program)
  state, _ = adapting.step(program, state, rows)
  spoilt = jax.tree.map(lambda x: x.at[0].set(math.nan), state.params)
  bad = dataclasses.replace(state, params=spoilt)
  after, _ = adapting.step(program, bad, rows)
  assert after.skipped.tolist() == [1, 1]
  assert digest(after.params) == digest(bad.params)
  assert digest(after.optimizer) == digest(bad.optimizer)


def _dots(program):
  problem = toy.abstract_problem(program)
  trained, held = program.split(program.shapes)
  keys = jax.random.split(jax.random.key(0))
  jaxpr = jax.make_jaxpr(program._gradients)(trained, problem, *keys, held)
  return flops.dots(jaxpr)


def test_flops_of_lora_are_those_of_a_formula():
  """Counted by hand: LoRA of rank 3 on query and value, three layers."""
  layers, width, ff, rank = 3, 32, 64, 3
  adaptation = adapting.make("lora", targets=("query", "value"))
  program = adapting.program(
    "clm", adaptation, layers=layers, attention="plain"
  )
  rows, length = toy.BATCH, toy.LENGTH
  n = rows * length
  square = 2 * rows * length**2 * width  # scores, or values
  project, feed = 2 * n * width**2, 2 * n * width * ff
  thin, table = 2 * n * width * rank, 2 * n * width * toy.VOCABULARY
  forward = layers * (4 * project + 2 * square + 2 * feed + 4 * thin) + table
  # Of each product the gradient of what it reads. Before the first layer
  # nothing is trained: query, key and value need none of their input there,
  # the scores none of the keys.
  backward = layers * (4 * project + 4 * square + 2 * feed) + table
  backward -= 3 * project + square
  # Of both targets: of A and B, of x A, and of x but in the first layer.
  backward += layers * 2 * 3 * thin + (layers - 1) * 2 * thin
  assert program.flops == forward + backward
  assert _dots(program) == program.flops
  full = toy.program("clm", layers=layers, attention="plain").flops
  print(f"LoRA {program.flops / full:.3f} of the FLOPs of a full step")
  assert program.positions == n


@pytest.mark.parametrize("name", adapting.NAMES)
def test_flops_are_the_dots_of_the_plain_gradient(name):
  for objective, architecture in (
    ("rtd", "encoder"),
    ("span_corruption", "encoder_decoder"),
  ):
    if objective == "rtd" and name == "soft_prompt":
      continue
    program = adapting.program(
      objective, adapting.make(name), architecture, attention="plain", **BIASED
    )
    assert program.flops == pytest.approx(_dots(program), rel=1e-3)
    full = toy.program(objective, architecture, attention="plain", **BIASED)
    assert program.flops < full.flops


def test_flops_do_not_depend_on_how_they_are_computed(monkeypatch):
  """A table that is held has no gradient, also where logits are chunked."""
  plain = _program("lora", attention="plain")
  other = _program("lora", attention="plain", layers=1, remat="full", scan=True)
  assert other.flops == plain.flops
  assert _dots(plain) == plain.flops
  monkeypatch.setattr(outputs, "MOST_LOGITS", 1000)
  n = toy.BATCH * toy.LENGTH
  again = 2 * n * 32 * toy.VOCABULARY  # the logits, in the backward pass
  assert _dots(plain) == plain.flops + again


def test_soft_prompts_are_charged():
  program = adapting.program("clm", adapting.make("soft_prompt"))
  assert program.positions == toy.BATCH * (toy.LENGTH + 4)
  program = adapting.program(
    "denoising", adapting.make("soft_prompt"), "encoder_decoder"
  )
  problem = toy.abstract_problem(program)
  inputs, source = problem.inputs.tokens_BxT, problem.source.tokens_BxT
  assert program.positions == inputs.size + source.size + 4 * toy.BATCH


@pytest.mark.parametrize(
  "name", ["dora", "adapter", "p_tuning_v2", "prefix_tuning"]
)
def test_layers_of_a_scan_are_adapted_each(name):
  """A scan computes what its layers do by themselves."""
  options = {"layers": 2, "scan": True}
  program = adapting.program("clm", adapting.make(name), **options)
  params = toy.draw(program.shapes)
  rows = adapting.documents(program)
  network = program.plan.network.clone(deterministic=True)
  bare, leaves = unrolled(network, params)
  assert "layer_1" in leaves["stack_main"]["blocks"]
  np.testing.assert_allclose(
    _hidden(network, params, rows),
    _hidden(bare, leaves, rows),
    rtol=1e-4,
    atol=1e-4,
  )


def test_an_ordinary_program_is_as_it_was():
  """No method reaches a network that has none."""
  plain = toy.program("clm", **BIASED)
  jaxpr = jax.make_jaxpr(plain.train_step)(
    plain.abstract, plain._rows, jnp.float32(0)
  )
  plan = _program("lora").plan
  other = plan.network.clone(adaptation=None)
  again = type(plain)(dataclasses.replace(plan, network=other))
  assert plain.split(plain.shapes) == (plain.shapes, {})
  assert str(jaxpr) == str(
    jax.make_jaxpr(again.train_step)(
      again.abstract, again._rows, jnp.float32(0)
    )
  )


ON_TWO = """
import json, sys
import jax, adapting
found = {}
for name, mesh in json.loads(sys.argv[1]):
  program = adapting.program(
    "clm", adapting.make(name), mesh=tuple(mesh.items())
  )
  program, state = adapting.start(program)
  state = jax.device_put(state, program.shardings)
  rows = program.place_rows(adapting.documents(program))
  for _ in range(2):
    state, metrics = adapting.step(program, state, rows)
  found[f"{name} {mesh}"] = float(metrics["loss"])
print(json.dumps(found))
"""


def test_meshes_give_the_same_losses():
  runs = [
    ("dora", {"data": 2}),
    ("dora", {"fsdp": 2}),
    ("dora", {"tensor": 2}),
    ("soft_prompt", {"fsdp": 2}),
    ("prefix_tuning", {"tensor": 2}),
  ]
  printed = devices_apart.run("-c", ON_TWO, json.dumps(runs), devices=2)
  two = json.loads(printed.splitlines()[-1])
  assert len(two) == len(runs)
  one = {}
  for name in {name for name, _ in runs}:
    program, state = adapting.start(
      adapting.program("clm", adapting.make(name))
    )
    rows = adapting.documents(program)
    for _ in range(2):
      state, metrics = adapting.step(program, state, rows)
    one[name] = float(metrics["loss"])
  for name, loss in two.items():
    assert loss == pytest.approx(one[name.split()[0]], rel=1e-5), name
