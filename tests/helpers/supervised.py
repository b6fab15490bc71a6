"""Toy programs of supervised objectives, run on their examples."""

import flax.linen as nn
import jax
import toy


def case(name, architecture, **trunk):
  """The plan of a toy program, its parameters, and rows of examples."""
  program = toy.program(name, architecture, batch=4, attention="plain", **trunk)
  plan = program.plan
  rows = toy.examples(plan.objective, 4, plan.spec)
  return plan, toy.start(program).params, rows


def run(plan, params, function, *args):
  """The result of function(network, *args), as NumPy arrays."""
  return jax.device_get(
    jax.jit(nn.apply(function, plan.network))({"params": params}, *args)
  )


def loss_of(plan, params, rows):
  """The problem of the rows, and the terms of its loss."""

  def loss(net, rows):
    problem = plan.objective.make(jax.random.key(0), rows, plan.spec)
    return problem, plan.objective.loss(net, problem, jax.random.key(0))

  return run(plan, params, loss, rows)


def outputs_of(plan, params, rows):
  """The outputs from which the rows' examples are answered."""

  def outputs(net, rows):
    return plan.objective.outputs(net, rows, plan.spec)

  return run(plan, params, outputs, rows)
