"""Fine-tunes regression: one number for each example."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp

from lm_jax.objectives import _supervised
from lm_jax.objectives._heads import DROPOUT, TextHead
from lm_jax.objectives.base import option
from lm_jax.types import Array, Problem, Rows, Spec, Term


@dataclasses.dataclass(frozen=True)
class Regress(TextHead):
  """L = 1/n sum (f(texts of example i) - score of example i)^2 over n examples.

  f is a head of one output on the same states as in classify, like BERT's and
  RoBERTa's code for STS-B. Rows.label holds the bits of the score's float32: no
  finite number has the bits of -1, which means no label.
  """

  head = "classification"

  dropout: float = option(0.1, DROPOUT, least=0, below=1)

  def make(self, rng: Array, rows: Rows, spec: Spec) -> Problem:
    problem = _supervised.text_problem(rows, spec)
    weight_BxS = (problem.targets_BxP != -1).astype(jnp.float32)
    return dataclasses.replace(problem, weights={"squared": weight_BxS})

  def loss(self, apply, problem: Problem, rng: Array) -> dict[str, Term]:
    label_BxS = problem.targets_BxP
    bits_BxS = jnp.where(label_BxS == -1, 0, label_BxS)
    score_BxS = jax.lax.bitcast_convert_type(bits_BxS, jnp.float32)
    output_BxS = self.logits(apply, problem)[..., 0]
    return {
      "squared": Term(jnp.square(output_BxS.astype(jnp.float32) - score_BxS))
    }
