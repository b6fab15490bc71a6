"""Steps of several seeds as one: each is the step of its run alone."""

import jax
import numpy as np
import pytest
import toy

from lm_jax.training.seed_batch import Request, SeedBatch, take_alone

SEEDS = 3


def _close(ours, alone):
  jax.tree.map(
    lambda x, y: np.testing.assert_allclose(x, y, rtol=0, atol=1e-5),
    ours,
    alone,
  )


class Runs:
  """Runs of one program, each at a step of its own, in two ways at once."""

  def __init__(self, name):
    self.program = toy.program(name)
    rows = toy.rows_for(self.program)
    self.rows = [
      jax.tree.map(lambda x, n=n: np.roll(x, n, 0), rows) for n in range(SEEDS)
    ]
    self.alone = [self._state(n) for n in range(SEEDS)]
    self.states = [self._state(n) for n in range(SEEDS)]
    self.batch = SeedBatch(self.program, SEEDS)

  def _state(self, seed):
    return self.program.initial(np.uint32(seed), np.uint32(seed))

  def request(self, state, number, fraction):
    return Request(state, self.rows[number], np.float32(fraction))

  def step(self, fractions):
    """Takes a step of each run that has a fraction, by its number."""
    requests = {
      number: self.request(self.states[number], number, fraction)
      for number, fraction in fractions.items()
    }
    for number, (state, metrics) in self.batch.step(requests).items():
      self.states[number] = state
      request = self.request(self.alone[number], number, fractions[number])
      self.alone[number], own = take_alone(self.program, request)
      for name, value in own.items():
        np.testing.assert_allclose(
          metrics[name], value, rtol=1e-5, atol=1e-6, err_msg=name
        )

  def settle(self, number):
    self.states[number] = self.states[number].settled()


@pytest.mark.parametrize("name", toy.OBJECTIVES)
def test_each_seed_is_what_it_is_alone(name):
  runs = Runs(name)
  runs.step({0: 0.1, 1: 0.1, 2: 0.1})
  runs.settle(2)  # It is measured, and one of the others is ahead of it.
  runs.step({0: 0.2, 1: 0.2})
  runs.step({0: 0.3, 1: 0.3, 2: 0.2})
  assert [int(runs.alone[n].step) for n in range(SEEDS)] == [3, 3, 2]
  for number in range(SEEDS):
    runs.settle(number)
    _close(runs.states[number], runs.alone[number])
  # Else the states could have changed places.
  first, second = (jax.tree.leaves(state.params) for state in runs.alone[:2])
  assert (
    max(np.abs(x - y).max() for x, y in zip(first, second, strict=True)) > 0.01
  )


def test_a_run_goes_on_with_another_state():
  """A branch of it begins: its state is put in the place of the run's own."""
  runs = Runs("clm")
  runs.step({0: 0.1, 1: 0.1, 2: 0.1})
  runs.settle(0)
  trunk = runs.states[0], jax.tree.map(np.asarray, runs.alone[0])
  runs.step({0: 0.9, 1: 0.2, 2: 0.2})
  runs.settle(0)
  _close(runs.states[0], runs.alone[0])
  runs.states[0], runs.alone[0] = (
    trunk[0],
    jax.device_put(trunk[1], runs.program.shardings),
  )
  runs.step({0: 0.2, 1: 0.3, 2: 0.3})
  for number in range(SEEDS):
    runs.settle(number)
    _close(runs.states[number], runs.alone[number])


def test_a_seed_that_is_not_finite_leaves_the_others_alone():
  runs = Runs("clm")
  broken = jax.tree.map(lambda x: x * np.nan, runs.alone[1].params)
  for states in (runs.states, runs.alone):
    params = jax.tree.map(np.asarray, broken)
    states[1] = jax.device_put(
      type(states[1])(**{**vars(states[1]), "params": params}),
      runs.program.shardings,
    )
  runs.step({0: 0.1, 1: 0.1, 2: 0.1})
  for number in range(SEEDS):
    runs.settle(number)
    _close(runs.states[number], runs.alone[number])
  assert [int(s.skipped[0]) for s in runs.states] == [0, 1, 0]
