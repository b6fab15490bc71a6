"""Compiles the program of an arm: initializer, step and validation.

Everything here is a pure function of its arguments. A step's randomness
depends only on (seed, step), so there is no other state between steps, and the
seeds of an arm share one compiled program.
"""

from __future__ import annotations

import copy
import functools
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from lm_jax.config import optimizer as optimizer_lib
from lm_jax.config.budget import Budget, Ledger
from lm_jax.devices import compilation, sharding
from lm_jax.training import cost, frozen, groups, optim, schedule
from lm_jax.training import counter as counter_lib
from lm_jax.training.plan import (
  Plan,
  State,
  abstract_rows,
  draw_parameters,
  parameter_shapes,
)
from lm_jax.training.terms import (
  count_skipped,
  count_targets,
  denominators,
  loss_function,
  total,
)
from lm_jax.types import PADDING, Array, Problem, Rows

Tree = Any


class Program:
  """The compiled functions of a plan, and the cost of a step.

  flops, positions: of one step, host integers.
  at_start: whether a step uses the learning rate at its start or at its end.
  warmup: the share of the budget at which the learning rate is at its peak.
  parameters: number of trained numbers.
  held_parameters: number of fixed ones, which `with_held` sets.
  shapes: of all parameters.
  """

  def __init__(self, plan: Plan):
    self.plan = plan
    # The fixed parameters, an additional argument of steps, if there are any.
    self._held: tuple[Tree, ...] = ()
    self._rows = abstract_rows(
      plan.batch_size, plan.spec.length, plan.objective.supervised
    )
    boxed = parameter_shapes(plan)
    self.shapes = nn.meta.unbox(boxed)
    shapes, held = self.split(self.shapes)
    self._groups = groups.of_plan(plan, shapes)
    self._optimizer = self._groups.optimizer(plan.optimizer, shapes)
    self.parameters, self.held_parameters = (
      sum(leaf.size for leaf in jax.tree.leaves(tree))
      for tree in (shapes, held)
    )
    self.at_start = plan.optimizer.rate_at == optimizer_lib.START
    start, end = plan.course
    self.warmup = start + plan.optimizer.warmup * (end - start)
    self.abstract = jax.eval_shape(self._begun, shapes, jax.random.key(0))
    self._places = sharding.parameters(plan.mesh, boxed)
    params, held_places = self.split(self._places)
    fixed = (held_places,) if held else ()
    whole = sharding.replicated(plan.mesh)
    self.shardings = State(
      params=params,
      optimizer=sharding.like_parameters(
        plan.mesh, self.abstract.optimizer, shapes, params
      ),
      key=whole,
      step=whole,
      tokens=whole,
      targets=whole,
      skipped=whole,
    )
    self.flops, self.positions = cost.of_step(plan, self._rows, shapes, held)
    self._cost = {
      "flops": self.flops,
      "positions": self.positions,
      "steps": 1,
    }
    batch = sharding.rows(plan.mesh)
    self.initial = jax.jit(self._initial, out_shardings=self.shardings)
    self._step = jax.jit(
      self.train_step,
      in_shardings=(self.shardings, batch, whole, *fixed),
      out_shardings=(self.shardings, whole),
      donate_argnums=0,
      compiler_options=compilation.options(),
    )
    self.validate = jax.jit(
      self._validate,
      in_shardings=(params, batch, None, *fixed),
      out_shardings=whole,
    )

  @functools.cached_property
  def step(self):
    """The compiled step: (state, rows, fraction) -> (state, metrics).

    If the loss or the norm of its gradient is not finite, parameters and
    optimizer do not change, and the step counts as skipped: its rows are read
    and its FLOPs spent nevertheless.

    fraction: of the budget, at the start or the end of this step
      (`at_start`); float32.
    """
    fraction = jax.ShapeDtypeStruct((), jnp.float32)
    lowered = self._step.lower(self.abstract, self._rows, fraction, *self._held)
    compiled = lowered.compile()
    if not self._held:
      return compiled
    return lambda *given: compiled(*given, *self._held)

  def at(self, step: int) -> Program:
    """Returns itself, the program of every step."""
    del step
    return self

  def compile(self) -> None:
    """Compiles the step, before it is used."""
    _ = self.step

  def steps(self, budget: Budget, spent: Ledger) -> int | None:
    """Counts the steps that a budget buys; see `Budget.steps`."""
    return budget.steps(self.flops, self.positions, spent)

  def settled(self, state: State) -> State:
    """Returns the arrays of a state that a step has returned: itself."""
    return state

  def split(self, params: Tree) -> tuple[Tree, Tree]:
    """Splits all parameters into trained and fixed ones."""
    adaptation = self.plan.network.adaptation
    if adaptation is None:
      return params, {}
    return frozen.split(params, adaptation.trains)

  def with_held(self, params: Tree) -> Program:
    """Returns the same program with its fixed parameters.

    Args:
      params: nested dicts of arrays, with at least these.
    """
    _, shapes = self.split(self.shapes)
    if not shapes:
      return self
    _, places = self.split(self._places)
    held = frozen.select_leaves(params, shapes)
    program = copy.copy(self)
    program._held = (sharding.place_arrays(held, places),)
    return program

  def all_params(self, params: Tree) -> Tree:
    """Joins trained parameters with the fixed ones."""
    return frozen.join(params, self._held[0]) if self._held else params

  def place_rows(self, rows: Rows) -> Rows:
    """Puts the rows of a batch on the devices.

    Each of several processes passes the whole batch, or the block of
    `sharding.share`.
    """
    place = sharding.rows(self.plan.mesh)
    if place.is_fully_addressable:
      return jax.device_put(rows, place)
    return jax.tree.map(
      lambda leaf: jax.make_array_from_process_local_data(
        place, leaf, (self.plan.batch_size, *leaf.shape[1:])
      ),
      rows,
    )

  def abstract_state(self) -> State:
    """Returns shapes with shardings, for restoring."""
    return jax.tree.map(
      lambda leaf, place: jax.ShapeDtypeStruct(
        leaf.shape, leaf.dtype, sharding=place
      ),
      self.abstract,
      self.shardings,
    )

  def _initial(self, seed: Array, corruption: Array | None = None) -> State:
    plan = self.plan
    params_key, run_key = jax.random.split(jax.random.key(seed))
    if corruption is not None:
      run_key = jax.random.split(jax.random.key(corruption))[1]
    params, _ = self.split(nn.meta.unbox(draw_parameters(plan, params_key)))
    return self._begun(params, run_key)

  def _begun(self, params: Tree, key: Array) -> State:
    return State(
      params=params,
      optimizer=self._optimizer.init(params),
      key=jax.random.key_data(key),
      step=jnp.int32(0),
      tokens=counter_lib.zero(),
      targets=counter_lib.zero(),
      skipped=jnp.zeros(2, jnp.int32),
    )

  def train_step(
    self, state: State, rows: Rows, fraction: Array, held: Tree = None
  ):
    """Takes a step, inside `jit`; see `step`."""
    plan = self.plan
    key = jax.random.wrap_key_data(state.key)
    make_key, loss_key, dropout_key = jax.random.split(
      jax.random.fold_in(key, state.step), 3
    )
    share: tuple[Array, ...] = ()
    if plan.objective.follows_budget:
      before = {"tokens": state.tokens, "targets": state.targets}
      share = (
        schedule.spent_before(plan.budget, fraction, before, plan.course),
      )
    problem = plan.objective.make(make_key, rows, plan.spec, *share)
    old, others = self._groups.split(state.params)
    if others:
      held = frozen.join(held or {}, others)
    (loss, metrics), grads = self._gradients(
      old, problem, loss_key, dropout_key, held
    )
    read = jnp.sum(rows.part_BxL != PADDING)
    tokens = counter_lib.add(state.tokens, read)
    targets = counter_lib.add(state.targets, count_targets(problem))
    counters = {
      "tokens": (state.tokens, tokens),
      "targets": (state.targets, targets),
    }
    learning_rate = schedule.rate_of_step(
      *(plan.optimizer, plan.budget, self._cost, fraction, counters),
      plan.course,
    )
    direction, optimizer = self._optimizer.update(grads, state.optimizer, old)
    params = jax.tree.map(lambda p, d: p - learning_rate * d, old, direction)
    norm = optim.global_norm(grads)
    finite = jnp.isfinite(loss) & jnp.isfinite(norm)
    params, optimizer = jax.tree.map(
      lambda new, old: jnp.where(finite, new, old),
      (params, optimizer),
      (old, state.optimizer),
    )
    if others:
      params = frozen.join(params, others)
    skipped = count_skipped(state.skipped, finite)
    metrics |= {
      "loss": loss,
      "grad_norm": norm,
      "learning_rate": learning_rate,
      "tokens": tokens,
      "targets": targets,
      "skipped": skipped,
    }
    return State(
      params, optimizer, state.key, state.step + 1, tokens, targets, skipped
    ), metrics

  def _gradients(
    self, params, problem: Problem, loss_key, dropout_key, held: Tree = None
  ):
    plan = self.plan
    whole = denominators(problem)
    apply = loss_function(plan.objective, plan.network)

    def loss(params, part, number):
      rngs = {"dropout": jax.random.fold_in(dropout_key, number)}
      key = jax.random.fold_in(loss_key, number)
      params = self._gathered(params, held)
      terms = apply({"params": params}, part, key, rngs=rngs)
      return total(terms, part, whole)

    loss = sharding.gather_again(loss, plan.mesh)
    gradient = jax.value_and_grad(loss, has_aux=True)
    if plan.accumulate == 1:
      return gradient(params, problem, 0)
    parts = jax.tree.map(
      lambda x: x.reshape(plan.accumulate, -1, *x.shape[1:]), problem
    )
    first = jax.eval_shape(
      gradient, params, jax.tree.map(lambda x: x[0], parts), 0
    )
    zeros = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), first)

    def add(sums, numbered):
      number, part = numbered
      return jax.tree.map(jnp.add, sums, gradient(params, part, number)), None

    numbers = jnp.arange(plan.accumulate)
    return jax.lax.scan(add, zeros, (numbers, parts))[0]

  def _gathered(self, params: Tree, held: Tree) -> Tree:
    """Gathers all parameters for the loss."""
    if held is not None:
      params = frozen.join(params, held)
    return sharding.gathered(params, self._places)

  def _validate(
    self, params, rows: Rows, number, held: Tree = None
  ) -> dict[str, Array]:
    """Sums the loss's terms over held-out rows, corrupted by `number`."""
    plan = self.plan
    key = jax.random.fold_in(jax.random.key(0), number)
    problem = plan.objective.make(key, rows, plan.spec)
    network = plan.network.clone(deterministic=True)
    params = self._gathered(params, held)
    terms = loss_function(plan.objective, network)(
      {"params": params}, problem, key
    )
    weight = denominators(problem)
    return {
      name: jnp.stack(
        [
          term.scale * jnp.sum(term.losses * problem.weights[name]),
          weight[name],
        ]
      )
      for name, term in terms.items()
    }

  def validation_loss(self, params, batches: list[Rows]) -> float:
    """Computes the objective's own loss over held-out batches, in nats."""
    sums: dict[str, np.ndarray] = {}
    for number, rows in enumerate(batches):
      terms = self.validate(params, self.place_rows(rows), number, *self._held)
      for name, pair in jax.device_get(terms).items():
        sums[name] = sums.get(name, np.zeros(2)) + pair
    return float(sum(loss / max(weight, 1) for loss, weight in sums.values()))


@functools.lru_cache(maxsize=32)
def compile_plan(plan: Plan) -> Program:
  """Returns the program of a plan; equal plans get the same one."""
  return Program(plan)
