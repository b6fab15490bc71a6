"""Shares code of objectives with a head on whole texts, or on each token."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from lm_jax.objectives import _supervised, base
from lm_jax.types import ARCHITECTURES, Apply, Array, Head, Problem, Rows, Spec

DROPOUT = "dropout rate on the states that the head reads"


# No dataclass itself, so that each objective's own options keep their order.
class TokenHead(base.Objective):
  """A head on each token.

  head: its name among the outputs. size: the number of its outputs. dropout: an
  option of every such objective.
  """

  architectures = frozenset(ARCHITECTURES)
  natural = "encoder"
  scoring = ""
  supervised = True

  head: ClassVar[str]
  dropout: float

  @property
  def size(self) -> int:
    return 1

  def heads(self, spec: Spec) -> dict[str, Head]:
    return {self.head: Head(self.size, dropout=self.dropout)}

  def outputs(self, apply: Apply, rows: Rows, spec: Spec) -> Array:
    return self.logits(apply, _supervised.context_problem(rows, spec))

  def logits(self, apply: Apply, problem: Problem) -> Array:
    """Computes the head for each token: [B, T, size]."""
    return apply.head(self.head, apply.hidden(problem.inputs, problem.source))


class TextHead(TokenHead):
  """A head on the first token of an encoder's text, else on the last one.

  It starts from the model's pooler if there is one.
  """

  architectures = frozenset({"encoder", "causal_decoder", "prefix_decoder"})
  starts_from: ClassVar[Mapping[str, str]] = {
    f"heads_{name}.dense": "heads_pooler.dense"
    for name in ("classification", "choice")
  }

  def heads(self, spec: Spec) -> dict[str, Head]:
    if spec.architecture == "encoder":
      head = Head(self.size, "first", "tanh", dropout=self.dropout)
    else:
      head = Head(self.size, "last", bias=False, dropout=self.dropout)
    return {self.head: head}

  def outputs(self, apply: Apply, rows: Rows, spec: Spec) -> Array:
    return self.logits(apply, _supervised.text_problem(rows, spec))

  def logits(self, apply: Apply, problem: Problem) -> Array:
    """Computes the head for each text of `text_problem`: [B, S, size]."""
    return _supervised.text_logits(apply, self.head, problem)
