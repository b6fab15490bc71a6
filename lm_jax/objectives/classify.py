"""Fine-tuning: sequence classification, one label for each example."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import ClassVar

import jax.numpy as jnp

from lm_jax import layout
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
    size, dropout = len(self.labels), self.dropout
    if spec.architecture == "encoder":
      return {HEAD: Head(size, "first", "tanh", dropout=dropout)}
    return {HEAD: Head(size, "last", bias=False, dropout=dropout)}

  def check(self, spec: Spec, batch_size: int, accumulate: int) -> None:
    super().check(spec, batch_size, accumulate)
    base.unit_interval("dropout", self.dropout, zero=True)
    _supervised.require_labels(self.labels)

  def make(self, rng: Array, rows: Rows, spec: Spec) -> Problem:
    problem = self._read(rows, spec)
    count = _supervised.room(rows.tokens_BxL.shape[1])
    label_BxS = _supervised.labels(rows, count)
    return dataclasses.replace(
      problem,
      targets_BxP=label_BxS,
      weights={"nll": (label_BxS >= 0).astype(jnp.float32)},
    )

  def loss(self, apply, problem: Problem, rng: Array) -> dict[str, Term]:
    logits_BxSxC = self._logits(apply, problem)
    label_BxS = problem.targets_BxP
    right_BxS = (jnp.argmax(logits_BxSxC, axis=-1) == label_BxS).astype(
      jnp.float32
    )
    losses_BxS = _supervised.cross_entropy(logits_BxSxC, label_BxS)
    return {"nll": Term(losses_BxS, metrics={"accuracy": right_BxS})}

  def outputs(self, apply: Apply, rows: Rows, spec: Spec) -> Array:
    return self._logits(apply, self._read(rows, spec))

  def _read(self, rows: Rows, spec: Spec) -> Problem:
    """The examples, and the place of the token that tells of each."""
    count = _supervised.room(rows.tokens_BxL.shape[1])
    how = "first" if spec.architecture == "encoder" else "last"
    place_BxS = _supervised.places(rows.segment_BxL, how, count)
    problem = _supervised.context_problem(rows, spec)
    return dataclasses.replace(problem, positions_BxP=place_BxS)

  def _logits(self, apply: Apply, problem: Problem) -> Array:
    """Of segments 1 to S of each row: [B, S, C]."""
    hidden_BxTxD = apply.hidden(problem.inputs, problem.source)
    state_BxSxD = layout.take(hidden_BxTxD, problem.positions_BxP)
    batch, count, width = state_BxSxD.shape
    # The head reads one text a row.
    state_Nx1xD = state_BxSxD.reshape(batch * count, 1, width)
    return apply.head(HEAD, state_Nx1xD).reshape(batch, count, -1)
