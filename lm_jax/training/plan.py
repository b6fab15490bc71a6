"""Plans that programs are compiled for, and shapes of parameters."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax.traverse_util import flatten_dict, unflatten_dict
from jax.sharding import Mesh

from lm_jax.config import budget as budget_lib
from lm_jax.config import optimizer as optimizer_lib
from lm_jax.support.errors import UsageError
from lm_jax.types import Array, Head, Rows, Spec, Trunk

Tree = Any


@dataclasses.dataclass(frozen=True)
class Plan:
  """Settings that a program is compiled for; hashable, so equal ones share it.

  objective: makes problems and losses; the train step uses nothing else of it.
  network: of the objective's stacks and heads, with the trunk's dropout; its
    adaptation, if any, decides which parameters are trained.
  spec: facts about the model for the objective.
  batch_size, accumulate: rows of a step, and number of parts it is computed in.
  optimizer: its options.
  budget: a currency of tokens or targets drives the schedule on the device.
  phases: of a run that has several, the plans of all, without their own
    `phases`; this is one of them. All parameters are those of any phase.
  course: where in the budget the schedule begins and ends.
  """

  objective: Any
  network: Any
  spec: Spec
  batch_size: int
  accumulate: int
  optimizer: optimizer_lib.OptimizerOptions
  budget: budget_lib.Budget
  mesh: Mesh
  phases: tuple[Plan, ...] = ()
  course: tuple[float, float] = (0.0, 1.0)

  @property
  def main(self) -> Trunk:
    """The trunk of the stack "main"."""
    return dict(self.network.trunks)["main"]

  def of_phases(self) -> tuple[Plan, ...]:
    """Returns the plan of each phase, for a program; itself if there is one."""
    if not self.phases:
      return (self,)
    return tuple(
      dataclasses.replace(plan, phases=self.phases) for plan in self.phases
    )


def abstract_rows(batch_size: int, length: int, labelled: bool = False) -> Rows:
  """Returns shapes of the rows of a batch, for tracing."""
  leaf = jax.ShapeDtypeStruct((batch_size, length), jnp.int32)
  label = leaf if labelled else None
  return Rows(leaf, leaf, leaf, leaf, leaf, label)


def predicts_tokens(plan: Plan) -> bool:
  """Returns whether the loss is the cross-entropy of tokens alone."""
  problem = jax.eval_shape(
    lambda rows: plan.objective.make(jax.random.key(0), rows, plan.spec),
    abstract_rows(plan.batch_size, plan.spec.length, plan.objective.supervised),
  )
  return set(problem.weights) == {"nll"}


@functools.lru_cache(maxsize=32)
def parameter_shapes(plan: Plan) -> Tree:
  """Returns the shapes of a plan's parameters, boxed; compiles nothing."""
  return jax.eval_shape(
    functools.partial(draw_parameters, plan), jax.random.key(0)
  )


def draw_parameters(plan: Plan, key: Array) -> Tree:
  """Draws what the loss calls, by tracing the loss itself; boxed.

  With phases, what any of their losses calls. A value follows from its path and
  the key; where phases differ, the last one's counts.

  Raises:
    UsageError: phases need one parameter in two shapes.
  """
  params: Tree = {}
  for phase in plan.phases:
    params = _joined(params, draw_parameters(phase, key), phase)
  return params if plan.phases else _drawn(plan, key)


def _joined(params: Tree, others: Tree, phase: Plan) -> Tree:
  old, new = flatten_dict(params), flatten_dict(others)
  for path in old.keys() & new.keys():
    shapes = [nn.meta.unbox(flat[path]).shape for flat in (old, new)]
    if shapes[0] != shapes[1]:
      raise UsageError(
        f"--phases: {phase.objective.name} needs {'.'.join(path)} of shape"
        f" {shapes[1]}, and a phase before it {shapes[0]}"
      )
  return unflatten_dict({**old, **new})


def _drawn(plan: Plan, key: Array) -> Tree:
  def loss(net, problem, rng):
    return plan.objective.loss(net, problem, rng)

  supervised = plan.objective.supervised
  rows = jax.tree.map(
    lambda leaf: jnp.zeros(leaf.shape, leaf.dtype),
    abstract_rows(plan.batch_size, plan.spec.length, supervised),
  )
  problem = plan.objective.make(key, rows, plan.spec)
  initialize = nn.init(loss, plan.network.clone(deterministic=True))
  return initialize({"params": key}, problem, key)["params"]


def trunks_of(objective, trunk: Trunk) -> tuple[tuple[str, Trunk], ...]:
  """Returns the stacks of an objective, for a Network."""
  return tuple(objective.stacks(trunk).items())


def heads_of(objective, spec: Spec) -> tuple[tuple[str, Head], ...]:
  """Returns the heads of an objective, for a Network."""
  return tuple(objective.heads(spec).items())


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class State:
  """The state that a step changes and a checkpoint stores.

  params, optimizer: pytrees of arrays of the trained parameters; key: uint32
    key data of the seed.
  step: int32. tokens, targets: two-limb counters (lm_jax/config/budget.py).
  skipped: int32 [2], updates skipped because they were not finite: in total,
    and in a row.
  """

  params: Tree
  optimizer: Tree
  key: Array
  step: Array
  tokens: Array
  targets: Array
  skipped: Array


@jax.jit
def finite(state: State) -> Any:
  """Returns whether all numbers of the state are finite, a bool scalar."""
  floats = [
    leaf
    for leaf in jax.tree.leaves(state)
    if jnp.issubdtype(leaf.dtype, jnp.floating)
  ]
  return jnp.all(jnp.stack([jnp.all(jnp.isfinite(x)) for x in floats]))
