"""Sums and counts of the terms of a loss."""

from __future__ import annotations

import flax.linen as nn
import jax.numpy as jnp

from lm_jax.types import Array, Problem, Term


def total(
  terms: dict[str, Term], problem: Problem, denominators: dict[str, Array]
) -> tuple[Array, dict[str, Array]]:
  """Sums the loss: scale * sum(losses * weight) / denominator of each term.

  Args:
    terms: of the problem, which may be a part of the batch.
    problem: has the weights.
    denominators: the weights summed over the whole batch, per term, so that
      the parts of a batch add up to it exactly.

  Returns:
    The scalar; and by name the (scaled) share of each term, if there are
    several, and the terms' metrics.
  """
  loss, metrics = jnp.float32(0), {}
  for name, term in terms.items():
    share = problem.weights[name] / jnp.maximum(denominators[name], 1)
    value = term.scale * jnp.sum(term.losses * share)
    loss = loss + value
    if len(terms) > 1:
      metrics[f"loss/{name}"] = value
    for key, values in term.metrics.items():
      metrics[key] = jnp.sum(values * share)
  return loss, metrics


def denominators(problem: Problem) -> dict[str, Array]:
  """Sums the weights of each term over the batch."""
  return {name: jnp.sum(w) for name, w in problem.weights.items()}


def count_targets(problem: Problem) -> Array:
  """Counts predictions that have loss, over all terms: int32."""
  counts = [jnp.sum(w > 0) for w in problem.weights.values()]
  return sum(counts, start=jnp.int32(0))


def count_skipped(skipped: Array, finite: Array) -> Array:
  """Updates State.skipped after a step with or without a finite update."""
  in_all, in_a_row = skipped
  bad = 1 - finite.astype(jnp.int32)
  return jnp.stack([in_all + bad, (in_a_row + 1) * bad])


def loss_function(objective, network):
  """Binds the network: (variables, problem, rng, rngs) -> terms."""

  def loss(net, problem, rng):
    return objective.loss(net, problem, rng)

  return nn.apply(loss, network)
