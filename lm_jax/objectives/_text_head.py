"""Shares code of objectives with a head on whole texts."""

from __future__ import annotations

from typing import ClassVar

from lm_jax.objectives import _supervised, base
from lm_jax.types import (
  Apply,
  Architecture,
  Array,
  Head,
  Problem,
  Rows,
  Spec,
)


# No dataclass itself, so that each objective's own options keep their order.
class TextHead(base.Objective):
  """A head on the first token of an encoder's text, else on the last one.

  head: its name among the outputs. size: the number of its outputs. dropout: an
  option of every such objective.
  """

  architectures: ClassVar[frozenset[str]] = frozenset(
    {"encoder", "causal_decoder", "prefix_decoder"}
  )
  natural: ClassVar[Architecture] = "encoder"
  scoring: ClassVar[str] = ""
  supervised: ClassVar[bool] = True

  head: ClassVar[str]
  dropout: float

  @property
  def size(self) -> int:
    return 1

  def heads(self, spec: Spec) -> dict[str, Head]:
    return {self.head: _supervised.text_head(self.size, spec, self.dropout)}

  def check(self, spec: Spec, batch_size: int, accumulate: int) -> None:
    super().check(spec, batch_size, accumulate)

  def outputs(self, apply: Apply, rows: Rows, spec: Spec) -> Array:
    return self.logits(apply, _supervised.text_problem(rows, spec))

  def logits(self, apply: Apply, problem: Problem) -> Array:
    """Computes the head for each text of `text_problem`: [B, S, size]."""
    return _supervised.text_logits(apply, self.head, problem)
