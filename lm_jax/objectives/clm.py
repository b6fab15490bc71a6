"""Trains causal language models (GPT)."""

from __future__ import annotations

import dataclasses

from lm_jax import layout
from lm_jax.objectives import _scores, base
from lm_jax.types import Array, Problem, Rows, Spec


@dataclasses.dataclass(frozen=True)
class CausalLM(base.Objective):
  """Predicts each token from those before it (GPT).

  Radford et al. 2018, equation 1: L = -sum_i log p(x_i | x_1 .. x_(i-1)).
  Departures: the context starts anew with each document of a packed row, and
  each starts with a boundary token. In a prefix_decoder the prefix is always
  empty.
  """

  architectures = frozenset({"causal_decoder", "prefix_decoder"})
  natural = "causal_decoder"
  scoring = "log_likelihood"
  continues = True

  def make(self, rng: Array, rows: Rows, spec: Spec) -> Problem:
    target_BxL, weight_BxL = base.next_token(rows, spec)
    inputs = layout.in_place(rows, spec)
    return Problem(inputs, None, target_BxL, {"nll": weight_BxL})

  def score(self, apply, rows: Rows, spec: Spec) -> Array:
    return _scores.left_to_right_score(apply, rows, spec)

  def read(self, rows: Rows, spec: Spec) -> Problem:
    return Problem(layout.in_place(rows, spec), None, rows.tokens_BxL, {})

  prompt = read
