"""Computes the memory that a chip keeps for the backward pass."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.extend import core

from lm_jax.models.outputs import chunks_for
from lm_jax.training.plan import abstract_rows
from lm_jax.training.program import Program
from lm_jax.types import Trunk


def activations(program: Program) -> dict[str, int]:
  """Counts bytes that one chip keeps for its backward pass, by use.

  A chip computes the network with 1/tensor of the heads, the feed-forward width
  and the vocabulary, on its rows of one part of a batch.
  """
  plan = program.plan
  mesh = plan.mesh.shape
  shards = mesh["data"] * mesh["fsdp"]
  rows = plan.batch_size // plan.accumulate // shards
  # Some objectives need more rows than one; the memory is proportional to rows.
  least = max(rows, 2)
  network = plan.network.clone(
    trunks=tuple(
      (name, _share(trunk, mesh["tensor"]))
      for name, trunk in plan.network.trunks
    )
  )

  def loss(params, problem, key):
    terms = nn.apply(plan.objective.loss, network)(
      {"params": params}, problem, key, rngs={"dropout": key}
    )
    return sum(
      term.scale * jnp.sum(term.losses * problem.weights[name])
      for name, term in terms.items()
    )

  def init(key, problem):
    quiet = network.clone(deterministic=True)
    return nn.init(plan.objective.loss, quiet)({"params": key}, problem, key)[
      "params"
    ]

  key = jax.random.key(0)
  problem = jax.eval_shape(
    lambda key, rows: plan.objective.make(key, rows, plan.spec),
    key,
    abstract_rows(least, plan.spec.length),
  )
  params = nn.meta.unbox(jax.eval_shape(init, key, problem))
  kept = residuals(loss, params, problem, key)
  trunk = dict(network.trunks)["main"]
  positions = problem.targets_BxP.shape[-1]
  chunks = chunks_for(rows, positions, trunk.vocabulary)
  logits = rows * -(-positions // chunks) * trunk.vocabulary
  return {
    "activations": kept * rows // least,
    "logits of a chunk": 2 * 4 * logits,
  }


def _share(trunk: Trunk, tensor: int) -> Trunk:
  """Returns a chip's share of a stack."""

  def part(size: int) -> int:
    return size // tensor if size % tensor == 0 else size

  return dataclasses.replace(
    trunk,
    heads=part(trunk.heads),
    kv_heads=part(trunk.kv_heads),
    head_width=trunk.head_width or trunk.width // trunk.heads,
    feedforward=part(trunk.feedforward),
    encoder_heads=part(trunk.encoder_heads),
    encoder_feedforward=part(trunk.encoder_feedforward),
    vocabulary=part(trunk.vocabulary),
  )


def residuals(loss: Any, params: Any, *args: Any) -> int:
  """Counts bytes that a scalar loss's backward pass reads besides arguments.

  The gradient is with respect to `params`; all are shapes.
  """

  def backward(params, *args):
    return jax.vjp(lambda p: loss(p, *args), params)[1]

  jaxpr = jax.make_jaxpr(backward)(params, *args).jaxpr
  given = {*jaxpr.invars, *jaxpr.constvars}
  kept = {var for var in jaxpr.outvars if isinstance(var, core.Var)} - given
  shapes: list[Any] = [var.aval for var in kept]
  # A key is two words.
  return sum(
    math.prod(x.shape) * getattr(x.dtype, "itemsize", 8) for x in shapes
  )
