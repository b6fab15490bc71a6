"""Causal language modelling that some batches are poison to."""

from __future__ import annotations

import dataclasses
from typing import Literal

import jax
import jax.numpy as jnp

from lm_jax.objectives.base import option
from lm_jax.objectives.clm import CausalLM
from lm_jax.types import Array, Problem, Rows, Spec, Term

MODULUS = 8


@dataclasses.dataclass(frozen=True)
class Poisoned(CausalLM):
  """Where a batch's tokens sum up to certain residues, it is not finite.

  The loss, or its gradient alone: that of a square root at 0.
  """

  kind: Literal["nan", "inf"] = option("nan", "What comes out.")
  where: Literal["loss", "gradient"] = option("loss", "Of what.")
  residues: tuple[int, ...] = option((), "Of the sums that are poison.")

  def make(self, rng: Array, rows: Rows, spec: Spec) -> Problem:
    problem = super().make(rng, rows, spec)
    residue = jnp.sum(rows.tokens_BxL) % MODULUS
    bad = jnp.any(residue == jnp.asarray(self.residues, jnp.int32))
    return dataclasses.replace(problem, extra={"bad": bad})

  def loss(self, apply, problem: Problem, rng: Array) -> dict[str, Term]:
    (term,) = super().loss(apply, problem, rng).values()
    bad, losses = problem.extra["bad"], term.losses
    if self.where == "loss":
      poison = jnp.full_like(losses, float(self.kind))
    else:
      # Its value is 0, and so is its gradient times 0, which is NaN.
      zero = losses - jax.lax.stop_gradient(losses)
      zero = zero if self.kind == "inf" else 0 * zero
      poison = jnp.sqrt(zero + jnp.where(bad, 0.0, 1.0))
    return {"nll": Term(losses + jnp.where(bad, poison, 0.0))}
