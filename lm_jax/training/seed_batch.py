"""Steps of several runs of one program at once: the seeds as a batch axis.

The states of the runs stand side by side in one stack, and `vmap` makes one
step of all. A state leaves the stack only when its run needs the arrays: to be
measured or saved.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from lm_jax.devices import compilation
from lm_jax.training.plan import State, abstract_rows
from lm_jax.training.program import Program
from lm_jax.types import Rows


class Place:
  """The state of one run in a stack, until the run's next step."""

  def __init__(self, batch: SeedBatch, number: int):
    self._batch, self._number = batch, number
    self.state: State | None = None  # once it was needed

  def settled(self) -> State:
    """Copies the state out of the stack, once."""
    if self.state is None:
      self.state = self._batch.take(self._number)
    return self.state


class Request(NamedTuple):
  """A step that a run asks for: see `Program.step`."""

  state: State | Place
  rows: Rows
  fraction: np.float32


Answer = tuple[State | Place, dict[str, Any]]


class SeedBatch:
  """One step of several runs of a program, which differ in their seeds.

  Step, share of the budget, order of rows and corruption are each run's own, so
  that runs may be at different steps.

  Args:
    program: of each run, on a single device.
    size: most runs at once; each has a number below it.
  """

  def __init__(self, program: Program, size: int):
    self._program, self.size = program, size
    self._stack: State | None = None
    self._places: list[Place | None] = [None] * size
    self._before: Any = None  # the loss of the last step but one

  @functools.cached_property
  def _step(self):
    """The compiled step of all: (stack, rows, fractions) -> (stack, metrics).

    The metrics are a tuple, those of each run.
    """

    def step(stack, rows, fractions):
      stack, metrics = jax.vmap(self._program.train_step)(
        stack, rows, fractions
      )
      return stack, tuple(
        jax.tree.map(lambda x, i=i: x[i], metrics) for i in range(self.size)
      )

    plan = self._program.plan
    rows = abstract_rows(
      plan.batch_size, plan.spec.length, plan.objective.supervised
    )
    fraction = jax.ShapeDtypeStruct((), jnp.float32)
    given = jax.tree.map(
      lambda leaf: jax.ShapeDtypeStruct((self.size, *leaf.shape), leaf.dtype),
      (self._program.abstract, rows, fraction),
    )
    return (
      jax.jit(step, donate_argnums=0, compiler_options=compilation.options())
      .lower(*given)
      .compile()
    )

  def compile(self) -> None:
    """Compiles the step, before it is used."""
    _ = self._step

  def step(self, requests: Mapping[int, Request]) -> dict[int, Answer]:
    """Takes one step of each run that asks for it.

    It returns when the step before has been taken, so that the device always
    has one ahead.

    Args:
      requests: by the run's number; the state of a run that asks for none must
        be settled, or is lost.
    """
    one = next(iter(requests.values()))
    everyone = [requests.get(number, one) for number in range(self.size)]
    self._enter(requests, everyone)
    rows = jax.tree.map(lambda *x: np.stack(x), *(r.rows for r in everyone))
    fractions = np.stack([r.fraction for r in everyone])
    self._stack, metrics = self._step(self._stack, rows, fractions)
    jax.block_until_ready(self._before)
    self._before = metrics[0]["loss"]
    # What stands in the places of the others is of no run.
    self._places = [
      Place(self, number) if number in requests else None
      for number in range(self.size)
    ]
    return {
      number: (place, metrics[number])
      for number, place in enumerate(self._places)
      if place is not None
    }

  def _enter(
    self, requests: Mapping[int, Request], everyone: list[Request]
  ) -> None:
    """Puts the states into the stack that are not there."""
    if self._stack is None:
      self._stack = _stacked([_settled(request.state) for request in everyone])
      return
    for number, (state, *_) in requests.items():
      place = self._places[number]
      if place is None or (state is not place and state is not place.state):
        self._stack = _replaced(self._stack, number, _settled(state))

  def take(self, number: int) -> State:
    """Returns a copy of the state of one run."""
    state = _taken(self._stack, number)
    return jax.device_put(state, self._program.shardings)


class Seat(Program):
  """The program of a run whose steps are taken together with those of others.

  Args:
    program: of the run alone.
    take: takes a step; it returns when the others have taken theirs.
  """

  def __init__(
    self, program: Program, take: Callable[[Program, Request], Answer]
  ):
    vars(self).update(vars(program))
    self._own, self._take = program, take

  @property
  def step(self):
    return lambda *given: self._take(self._own, Request(*given))

  def compile(self) -> None:
    """Leaves it to the first step, when it is known how many go along."""

  def place_rows(self, rows: Rows) -> Rows:
    return rows

  def settled(self, state: State | Place) -> State:
    return _settled(state)


def take_alone(program: Program, request: Request) -> Answer:
  """Takes a step of one run by itself."""
  rows = program.place_rows(request.rows)
  return program.step(_settled(request.state), rows, request.fraction)


def _settled(state: State | Place) -> State:
  return state.settled() if isinstance(state, Place) else state


@jax.jit
def _stacked(states: list[State]) -> State:
  return jax.tree.map(lambda *leaves: jnp.stack(leaves), *states)


@functools.partial(jax.jit, donate_argnums=0)
def _replaced(stack: State, number: int, state: State) -> State:
  return jax.tree.map(lambda s, x: s.at[number].set(x), stack, state)


@jax.jit
def _taken(stack: State, number: int) -> State:
  return jax.tree.map(lambda leaf: leaf[number], stack)
