"""Fine-tunes sequence classification: one label for each example."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import ClassVar

import jax.numpy as jnp

from lm_jax.objectives import _supervised
from lm_jax.objectives._text_head import TextHead
from lm_jax.objectives.base import option
from lm_jax.types import (
  Array,
  Problem,
  Rows,
  Spec,
  Term,
)

HEAD = "classification"


@dataclasses.dataclass(frozen=True)
class Classify(TextHead):
  """L = -1/n sum log p(label of example i | its texts) over n examples.

  Devlin et al. 2019, section 4.1: an encoder has a dense layer with tanh and
  then the logits on its first token; it starts from the model's pooler if there
  is one. Decoders have the logits on the last token (Radford et al. 2018,
  section 3.2); in a causal one only that token has seen the whole text.
  """

  head: ClassVar[str] = HEAD
  starts_from: ClassVar[Mapping[str, str]] = {
    f"heads_{HEAD}.dense": "heads_pooler.dense"
  }

  labels: tuple[str, ...] = option(
    (), "names of the labels, in the order of the logits"
  )
  dropout: float = option(
    0.1,
    "dropout rate on the states that the logits are computed from",
    least=0,
    below=1,
  )

  @property
  def size(self) -> int:
    return len(self.labels)

  def check(self, spec: Spec, batch_size: int, accumulate: int) -> None:
    super().check(spec, batch_size, accumulate)
    _supervised.require_labels(self.labels)

  def make(self, rng: Array, rows: Rows, spec: Spec) -> Problem:
    problem = _supervised.text_problem(rows, spec)
    count = _supervised.room(rows.tokens_BxL.shape[1])
    label_BxS = _supervised.labels(rows, count)
    return dataclasses.replace(
      problem,
      targets_BxP=label_BxS,
      weights={"nll": (label_BxS >= 0).astype(jnp.float32)},
    )

  def loss(self, apply, problem: Problem, rng: Array) -> dict[str, Term]:
    logits_BxSxC = self.logits(apply, problem)
    return _supervised.label_terms(logits_BxSxC, problem.targets_BxP)
