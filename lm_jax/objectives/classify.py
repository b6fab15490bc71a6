"""Fine-tunes sequence classification: one label for each example."""

from __future__ import annotations

import dataclasses

import jax.numpy as jnp

from lm_jax.objectives import _supervised
from lm_jax.objectives._heads import DROPOUT, TextHead
from lm_jax.objectives.base import option
from lm_jax.types import Array, Problem, Rows, Spec, Term


@dataclasses.dataclass(frozen=True)
class Classify(TextHead):
  """L = -1/n sum log p(label of example i | its texts) over n examples.

  Devlin et al. 2019, section 4.1: an encoder has a dense layer with tanh and
  then the logits on its first token; it starts from the model's pooler if there
  is one. Decoders have the logits on the last token (Radford et al. 2018,
  section 3.2); in a causal one only that token has seen the whole text.
  """

  head = "classification"

  labels: tuple[str, ...] = option(
    (), "names of the labels, in the order of the logits"
  )
  dropout: float = option(0.1, DROPOUT, least=0, below=1)

  @property
  def size(self) -> int:
    return len(self.labels)

  def check(self, spec: Spec, batch_size: int, accumulate: int) -> None:
    super().check(spec, batch_size, accumulate)
    _supervised.require_labels(self.labels)

  def make(self, rng: Array, rows: Rows, spec: Spec) -> Problem:
    problem = _supervised.text_problem(rows, spec)
    weight_BxS = (problem.targets_BxP >= 0).astype(jnp.float32)
    return dataclasses.replace(problem, weights={"nll": weight_BxS})

  def loss(self, apply, problem: Problem, rng: Array) -> dict[str, Term]:
    logits_BxSxC = self.logits(apply, problem)
    return _supervised.label_terms(logits_BxSxC, problem.targets_BxP)
