"""Fine-tuning: sequence classification, one label for each example."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import ClassVar

import jax.numpy as jnp

from lm_jax.objectives import _supervised, base
from lm_jax.objectives.base import option
from lm_jax.types import (
  Apply,
  Architecture,
  Array,
  Head,
  Problem,
  Rows,
  Spec,
  Term,
)

HEAD = "classification"


@dataclasses.dataclass(frozen=True)
class Classify(base.Objective):
  """L = -1/n sum log p(label of example i | its texts) over n examples.

  Devlin et al. 2019, section 4.1: an encoder has a dense layer with tanh and
  then the logits on its first token, which starts from the model's pooler
  where there is one. Decoders have the logits on the last token (Radford et
  al. 2018, section 3.2), which alone has seen all of a causal one's text.
  """

  architectures: ClassVar[frozenset[str]] = frozenset(
    {"encoder", "causal_decoder", "prefix_decoder"}
  )
  natural: ClassVar[Architecture] = "encoder"
  scoring: ClassVar[str] = ""
  supervised: ClassVar[bool] = True
  starts_from: ClassVar[Mapping[str, str]] = {
    f"heads_{HEAD}.dense": "heads_pooler.dense"
  }

  labels: tuple[str, ...] = option((), "their names, in the order of logits")
  dropout: float = option(0.1, "of what the logits are computed from")

  def heads(self, spec: Spec) -> dict[str, Head]:
    return {HEAD: _supervised.text_head(len(self.labels), spec, self.dropout)}

  def check(self, spec: Spec, batch_size: int, accumulate: int) -> None:
    super().check(spec, batch_size, accumulate)
    base.unit_interval("dropout", self.dropout, zero=True)
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
    logits_BxSxC = _supervised.text_logits(apply, HEAD, problem)
    label_BxS = problem.targets_BxP
    right_BxS = (jnp.argmax(logits_BxSxC, axis=-1) == label_BxS).astype(
      jnp.float32
    )
    losses_BxS = _supervised.cross_entropy(logits_BxSxC, label_BxS)
    return {"nll": Term(losses_BxS, metrics={"accuracy": right_BxS})}

  def outputs(self, apply: Apply, rows: Rows, spec: Spec) -> Array:
    problem = _supervised.text_problem(rows, spec)
    return _supervised.text_logits(apply, HEAD, problem)
