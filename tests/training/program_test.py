"""The compiled step: what it computes, counts, holds and depends on."""

import dataclasses
import itertools
import math
import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import toy

from lm_jax.config import Config, optimizer
from lm_jax.storage.digest import digest
from lm_jax.training import assemble, counter
from lm_jax.training.terms import loss_function
from lm_jax.types import PADDING, Specials


def _close(found, expected, relative):
  """Leaf by leaf, within a share of the largest number of all leaves."""
  scale = max(np.abs(x).max() for x in jax.tree.leaves(expected))
  jax.tree.map(
    lambda x, y: np.testing.assert_allclose(x, y, atol=relative * scale),
    found,
    expected,
  )


@pytest.mark.parametrize("name", toy.OBJECTIVES)
def test_accumulation_is_exact(name):
  """4 x 2 rows give the gradient, the step and the metrics of 1 x 8."""
  whole, parts = toy.program(name), toy.program(name, accumulate=4)
  rows = toy.rows_for(whole)
  # The parts differ in weight, so that a mean of their means would be wrong.
  sizes = [int((x >= 0).sum()) for x in np.split(rows.part_BxL, 4)]
  assert len(set(sizes)) > 1
  expected, metrics = toy.step(whole, toy.start(whole), rows)
  state, found = toy.step(parts, toy.start(parts), rows)
  gradient = toy.first_moment(expected)
  _close(toy.first_moment(state), gradient, 1e-6)
  _close(state.params, expected.params, 1e-5)
  assert set(found) == set(metrics)
  for key, value in metrics.items():
    np.testing.assert_allclose(found[key], value, rtol=1e-5, err_msg=key)


@pytest.mark.parametrize("name", toy.OBJECTIVES)
def test_the_loss_falls_by_an_eighth_in_twenty_steps(name):
  program = toy.program(name)
  rows, state = toy.rows_for(program), toy.start(program)
  losses = []
  for _ in range(20):
    state, metrics = toy.step(program, state, rows)
    losses.append(float(metrics["loss"]))
  assert np.all(np.isfinite(losses))
  # Each step corrupts anew, and some corruptions are harder than others.
  assert np.mean(losses[-5:]) < 7 / 8 * losses[0]


@pytest.mark.parametrize("name", toy.OBJECTIVES)
def test_logits_exist_only_where_something_is_predicted(name):
  program = toy.program(name)
  problem = toy.abstract_problem(program)
  predicted = [problem.targets_BxP.size]
  if "targets_BxP" in problem.extra:  # hybrid predicts in two places
    predicted.append(problem.extra["targets_BxP"].size)
  jaxpr = jax.make_jaxpr(program.train_step)(
    program.abstract, program._rows, jnp.float32(0)
  )
  assert toy.most_logits(jaxpr, toy.VOCABULARY) == max(predicted)


def test_a_step_of_usual_size_does_not_hold_all_logits():
  batch, length, vocabulary = 32, 512, 4001
  program = toy.program(
    "clm", batch=batch, length=length, vocabulary=vocabulary, scan=True
  )
  jaxpr = jax.make_jaxpr(program.train_step)(
    program.abstract, program._rows, jnp.float32(0)
  )
  held = toy.most_logits(jaxpr, vocabulary)
  assert 0 < held * vocabulary <= 2**25 < batch * length * vocabulary


def test_two_runs_are_equal_to_the_bit_and_seeds_differ():
  def run(program, seed):
    state = toy.initial(program, seed)
    losses = []
    for number in range(3):
      rows = toy.rows_for(program, number)
      state, metrics = toy.step(program, state, rows)
      losses.append(float(metrics["loss"]))
    return digest(state.params), losses

  program = toy.program("mlm")
  anew = toy.program.__wrapped__("mlm")  # compiled a second time
  first = run(program, 0)
  assert run(program, 0) == first
  assert run(anew, 0) == first
  assert run(program, 1)[0] != first[0]


def test_a_step_depends_on_its_state_alone():
  """A state put back after other work goes on as if nothing had been."""
  program = toy.program("rtd")
  rows = [toy.rows_for(program, number) for number in range(3)]
  state = toy.start(program)
  for number in range(2):
    state, _ = toy.step(program, state, rows[number])
  kept = jax.device_get(state)
  through, _ = toy.step(program, state, rows[2])

  other = toy.start(program, seed=5)
  for number in (2, 0):
    other, _ = toy.step(program, other, rows[number])
  back = jax.device_put(kept, program.shardings)
  again, _ = toy.step(program, back, rows[2])
  assert digest(again) == digest(through)
  # The step's number is part of the state: another one corrupts otherwise.
  later = dataclasses.replace(back, step=back.step + 1)
  moved, _ = toy.step(program, later, rows[2])
  assert digest(moved.params) != digest(again.params)


def test_dropout_differs_by_step_and_is_off_in_validation():
  program = toy.program("clm", dropout=0.5)
  state, rows = toy.start(program), toy.rows_for(program)

  def loss(number):
    at = dataclasses.replace(state, step=jnp.int32(number))
    return float(toy.step(program, at, rows)[1]["loss"])

  assert loss(0) == loss(0)
  assert loss(0) != loss(1)
  without = toy.program("clm")
  expected = without.validation_loss(state.params, [rows])
  found = program.validation_loss(state.params, [rows])
  assert found == pytest.approx(expected, rel=1e-6)
  assert float(toy.step(without, state, rows)[1]["loss"]) == pytest.approx(
    expected, rel=1e-5
  )


def _next_tokens(rows):
  """Pairs of neighbours in one segment, one by one."""
  return sum(
    int(a == b and a > 0)
    for segment in rows.segment_BxL
    for a, b in itertools.pairwise(segment)
  )


def _masked(rows):
  """15 % of the words of each row."""
  text = (rows.tokens_BxL >= len(toy.SPECIALS.ids)).sum(axis=1)
  return int(np.round(np.float32(0.15) * text.astype(np.float32)).sum())


@pytest.mark.parametrize(
  ("name", "targets"),
  [
    ("clm", _next_tokens),
    ("mlm", _masked),
    ("rtd", lambda rows: _masked(rows) + int((rows.segment_BxL > 0).sum())),
  ],
)
def test_tokens_and_targets_are_counted_exactly(name, targets):
  program = toy.program(name)
  state = toy.start(program)
  near = 2**32 - 3  # the low limb is about to overflow
  state = dataclasses.replace(state, tokens=jnp.array([near, 0], jnp.uint32))
  expected = [near, 0]
  for number in range(2):
    rows = toy.rows_for(program, number)
    expected[0] += int((rows.part_BxL != PADDING).sum())
    expected[1] += targets(rows)
    state, metrics = toy.step(program, state, rows)
    for key, value in zip(("tokens", "targets"), expected, strict=True):
      assert counter.value(metrics[key]) == value
      assert counter.value(getattr(state, key)) == value
  assert expected[0] > 2**32


def test_validation_is_the_loss_over_all_batches():
  """Each term's sum over its weights of all batches, not a mean of means."""
  program = toy.program("rtd")
  plan, state = program.plan, toy.start(program)
  batches = [toy.rows_for(program, 7), toy.rows_for(program, 8)]

  def measure(params, rows, number):
    key = jax.random.fold_in(jax.random.key(0), number)
    problem = plan.objective.make(key, rows, plan.spec)
    apply = loss_function(plan.objective, plan.network)
    terms = apply({"params": params}, problem, key)
    return {k: term.losses for k, term in terms.items()}, problem.weights

  measured = jax.jit(measure)
  sums = {"nll": np.zeros(2), "replaced": np.zeros(2)}
  for number, rows in enumerate(batches):
    losses, weights = measured(state.params, rows, number)
    for term, total in sums.items():
      weight = np.asarray(weights[term], np.float64)
      total += (np.asarray(losses[term]) * weight).sum(), weight.sum()
  nll, replaced = (loss / weight for loss, weight in sums.values())
  found = program.validation_loss(state.params, batches)
  assert found == pytest.approx(nll + 50 * replaced, rel=1e-5)


COSINE = optimizer.OptimizerOptions(
  learning_rate=0.02, schedule="cosine", warmup=0.25, final=0.1
)


def _cosine(fraction):
  if fraction < 0.25:
    return 0.02 * fraction / 0.25
  t = (fraction - 0.25) / 0.75
  return 0.02 * (0.1 + 0.9 * 0.5 * (1 + math.cos(math.pi * t)))


@pytest.mark.parametrize("bad", [math.nan, math.inf])
@pytest.mark.parametrize("accumulate", [1, 4])
def test_a_step_that_is_not_finite_changes_nothing_but_counters(
  bad, accumulate
):
  program = toy.program("clm", accumulate=accumulate)
  rows, state = toy.rows_for(program), toy.start(program)
  state, _ = toy.step(program, state, rows)
  kept = jax.device_get(state)
  # One number of the last norm is lost: so are the loss and its gradient.
  params = jax.tree.map(np.array, kept.params)
  scale = params["stack_main"]["blocks"]["final_norm"]["scale"]
  scale[..., 0] = bad
  spoilt = dataclasses.replace(kept, params=params)
  after, metrics = toy.step(
    program, jax.device_put(spoilt, program.shardings), rows
  )
  assert not math.isfinite(float(metrics["loss"]))
  for name in ("params", "optimizer"):
    assert digest(getattr(after, name)) == digest(getattr(spoilt, name))
  assert int(after.step) == 2
  assert after.skipped.tolist() == metrics["skipped"].tolist() == [1, 1]
  read = int((rows.part_BxL != PADDING).sum())
  assert counter.value(after.tokens) == 2 * read
  # The next one that is finite ends the row, and is as if nothing had been.
  back = dataclasses.replace(
    after, params=kept.params, step=jnp.int32(1), tokens=kept.tokens
  )
  again, _ = toy.step(program, jax.device_put(back, program.shardings), rows)
  fresh, _ = toy.step(program, jax.device_put(kept, program.shardings), rows)
  assert again.skipped.tolist() == [1, 0]
  assert digest(again.params) == digest(fresh.params)
  assert digest(again.optimizer) == digest(fresh.optimizer)


def test_the_schedule_reaches_the_step():
  program = toy.program("clm", optimizer=COSINE)
  rows, state = toy.rows_for(program), toy.start(program)
  moves = {}
  for fraction in (0.0, 0.1, 0.6):
    after, metrics = toy.step(program, state, rows, fraction)
    rate = float(metrics["learning_rate"])
    assert rate == pytest.approx(_cosine(fraction), rel=1e-5)
    moves[fraction] = jax.tree.map(jnp.subtract, after.params, state.params)
  assert not any(np.any(x) for x in jax.tree.leaves(moves[0.0]))
  ratio = _cosine(0.6) / _cosine(0.1)
  expected = jax.tree.map(lambda x: ratio * x, moves[0.1])
  _close(moves[0.6], expected, 1e-4)


def test_a_budget_of_tokens_drives_the_schedule_on_the_device():
  program = toy.program("clm", optimizer=COSINE, budget="tokens:1000")
  rows, state = toy.rows_for(program), toy.start(program)
  read = int((rows.part_BxL != PADDING).sum())
  for number in range(1, 4):
    state, metrics = toy.step(program, state, rows, fraction=0.0)
    rate = float(metrics["learning_rate"])
    assert rate == pytest.approx(_cosine(number * read / 1000), rel=1e-5)


def test_parameters_are_what_the_loss_calls():
  """The generator has no head of its own for what it never does."""
  names = {
    name: set(toy.program(name).abstract.params) for name in ("clm", "rtd")
  }
  assert names["clm"] == {"embedder_main", "stack_main"}
  assert {"stack_generator", "heads_replaced"} <= names["rtd"]
  for name in names:
    program = toy.program(name)
    leaves = jax.tree.leaves(program.abstract.params)
    assert program.parameters == sum(math.prod(x.shape) for x in leaves)


def test_remat_that_saves_nothing_is_told(monkeypatch):
  said = []
  monkeypatch.setattr(assemble.logging, "warning", lambda *x: said.append(x))
  monkeypatch.setattr(assemble, "compile_plan", lambda plan: None)
  vocabulary = types.SimpleNamespace(vocabulary_size=300, specials=Specials())
  for trunk in ({"remat": "full"}, {"remat": "full", "scan": True}, {}):
    config = Config(size="nano", length=64, trunk=trunk)
    assemble.make_program(config, vocabulary)
  assert len(said) == 1 and "--trunk.remat" in said[0][0]
