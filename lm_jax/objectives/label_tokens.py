"""Fine-tunes token labelling: each word of a text has a tag."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

import jax.numpy as jnp

from lm_jax.objectives import _supervised, base
from lm_jax.objectives.base import option
from lm_jax.types import (
  ARCHITECTURES,
  Apply,
  Architecture,
  Array,
  Head,
  Problem,
  Rows,
  Spec,
  Term,
)

HEAD = "tokens"


@dataclasses.dataclass(frozen=True)
class LabelTokens(base.Objective):
  """L = -1/n sum log p(tag of word i | its text) over n words.

  Devlin et al. 2019, section 5.3: a linear layer on the last state of each
  word's first token; Rows.label is the tag's index there and -1 elsewhere. A
  causal_decoder has not seen what follows the word.
  """

  architectures: ClassVar[frozenset[str]] = frozenset(ARCHITECTURES)
  natural: ClassVar[Architecture] = "encoder"
  scoring: ClassVar[str] = ""
  supervised: ClassVar[bool] = True

  labels: tuple[str, ...] = option(
    (), "names of the tags, in the order of the logits"
  )
  dropout: float = option(
    0.1,
    "dropout rate on the states that the logits are computed from",
    least=0,
    below=1,
  )

  def heads(self, spec: Spec) -> dict[str, Head]:
    return {HEAD: Head(len(self.labels), dropout=self.dropout)}

  def check(self, spec: Spec, batch_size: int, accumulate: int) -> None:
    super().check(spec, batch_size, accumulate)
    _supervised.require_labels(self.labels)

  def make(self, rng: Array, rows: Rows, spec: Spec) -> Problem:
    assert rows.label is not None  # of a supervised objective's rows
    problem = _supervised.context_problem(rows, spec)
    return dataclasses.replace(
      problem,
      targets_BxP=rows.label,
      weights={"nll": (rows.label >= 0).astype(jnp.float32)},
    )

  def loss(self, apply, problem: Problem, rng: Array) -> dict[str, Term]:
    hidden_BxTxD = apply.hidden(problem.inputs, problem.source)
    logits_BxTxC = apply.head(HEAD, hidden_BxTxD)
    return _supervised.label_terms(logits_BxTxC, problem.targets_BxP)

  def outputs(self, apply: Apply, rows: Rows, spec: Spec) -> Array:
    problem = _supervised.context_problem(rows, spec)
    return apply.head(HEAD, apply.hidden(problem.inputs, problem.source))
