"""Groups of parameters that the same phases train.

A phase changes its own parameters only: the others, and their state in the
optimizer, stay as they are, without weight decay. The optimizer counts the
steps of each group on its own, as its bias corrections need.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import flax.linen as nn

from lm_jax.config.optimizer import OptimizerOptions
from lm_jax.training import frozen, optim
from lm_jax.training.plan import Plan, parameter_shapes

if TYPE_CHECKING:
  import optax

Tree = Any


@dataclasses.dataclass(frozen=True)
class Groups:
  """The groups of a plan's trained parameters, by name.

  names: paths of each group; {} where every phase trains everything.
  active: the groups that this plan's own phase trains.
  """

  names: dict[str, frozenset[str]]
  active: tuple[str, ...] = ()

  def split(self, params: Tree) -> tuple[Tree, Tree]:
    """Splits parameters into those of the phase, and the others."""
    if not self.names:
      return params, {}
    own = frozenset[str]().union(*(self.names[name] for name in self.active))
    return frozen.split(params, own.__contains__)

  def optimizer(
    self, options: OptimizerOptions, shapes: Tree
  ) -> optax.GradientTransformation:
    """Makes the optimizer of all groups, which updates those of the phase.

    Its updates take trees of the phase's own parameters.
    """
    if not self.names:
      return optim.optimizer(options, shapes)
    import optax

    # The norm is that of all gradients of the phase.
    clip = optax.clip_by_global_norm(options.clip)
    options_of_group = dataclasses.replace(options, clip=0.0)
    methods = {
      name: optim.optimizer(options_of_group, _select(shapes, names))
      for name, names in self.names.items()
    }

    def init(params):
      return {
        name: methods[name].init(_select(params, names))
        for name, names in self.names.items()
      }

    def update(grads, state, params=None):
      if options.clip:
        grads, _ = clip.update(grads, optax.EmptyState())
      state = dict(state)
      direction: Tree = {}
      for name in self.active:
        names = self.names[name]
        own, state[name] = methods[name].update(
          _select(grads, names), state[name], _select(params, names)
        )
        direction = frozen.join(direction, own)
      return direction, state

    return optax.GradientTransformation(init, update)


def of_plan(plan: Plan, shapes: Tree) -> Groups:
  """Finds the groups of a plan.

  Args:
    plan: one of its run's phases, if there are several.
    shapes: of all trained parameters.
  """
  if not plan.phases:
    return Groups({})
  phases = [frozenset(frozen.names(_shapes(phase))) for phase in plan.phases]
  groups: dict[str, set[str]] = {}
  for name in frozen.names(shapes):
    numbers = [str(i) for i, names in enumerate(phases) if name in names]
    groups.setdefault("_".join(numbers), set()).add(name)
  if len(groups) == 1:
    return Groups({})
  own = str(_number(plan))
  active = tuple(g for g in sorted(groups) if own in g.split("_"))
  return Groups({g: frozenset(groups[g]) for g in sorted(groups)}, active)


def _number(plan: Plan) -> int:
  return plan.phases.index(dataclasses.replace(plan, phases=()))


def _shapes(plan: Plan) -> Tree:
  return nn.meta.unbox(parameter_shapes(plan))


def _select(tree: Tree, names: frozenset[str]) -> Tree:
  return frozen.split(tree, names.__contains__)[0]
