"""The cost of a step: model FLOPs and positions."""

from __future__ import annotations

import flax.linen as nn
import jax

from lm_jax.training import flops, frozen
from lm_jax.training.plan import Plan, Tree
from lm_jax.training.terms import denominators, total
from lm_jax.types import Rows


def of_step(
  plan: Plan, rows: Rows, trained: Tree, held: Tree
) -> tuple[int, int]:
  """Counts model FLOPs and positions of a step from the loss's calls.

  Args:
    plan: of the program.
    rows: shapes of a batch.
    trained, held: shapes of the parameters that are trained, and of the others.
  """
  counters: list[flops.Counter] = []
  key = jax.random.key(0)
  if held:
    problem = jax.eval_shape(
      lambda rows: plan.objective.make(key, rows, plan.spec), rows
    )

    def loss(net, problem, key):
      terms = plan.objective.loss(net, problem, key)
      return total(terms, problem, denominators(problem))[0]

    return frozen.measure(plan.network, loss, trained, held, problem)

  def counted(net, problem, rng):
    counter = flops.Counter(
      net, dict(plan.network.trunks), dict(plan.network.head_specs)
    )
    counters.append(counter)
    return plan.objective.loss(counter, problem, rng)

  def trace(params, rows, key):
    problem = plan.objective.make(key, rows, plan.spec)
    network = plan.network.clone(deterministic=True)
    return nn.apply(counted, network)({"params": params}, problem, key)

  jax.eval_shape(trace, trained, rows, key)
  return 3 * counters[-1].forward, counters[-1].positions
