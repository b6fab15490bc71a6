"""Fine-tunes token labelling: each word of a text has a tag."""

from __future__ import annotations

import dataclasses
from typing import Literal

import jax.numpy as jnp

from lm_jax.objectives import _supervised
from lm_jax.objectives._heads import DROPOUT, TokenHead
from lm_jax.objectives.base import option
from lm_jax.types import Array, Problem, Rows, Spec, Term


@dataclasses.dataclass(frozen=True)
class LabelTokens(TokenHead):
  """L = -1/n sum log p(tag of word i | its text) over n words.

  Devlin et al. 2019, section 5.3: a linear layer on the last state of each
  word's first token; Rows.label is the tag's index there and -1 elsewhere. A
  causal_decoder has not seen what follows the word.
  """

  head = "tokens"

  labels: tuple[str, ...] = option(
    (), "names of the tags, in the order of the logits"
  )
  spaces: Literal["script", "all"] = option(
    "script",
    "spaces between the words of a text; script: none where characters of a "
    "script without spaces meet; all: between all, as before this flag existed",
    absent="all",
  )
  dropout: float = option(0.1, DROPOUT, least=0, below=1)

  @property
  def size(self) -> int:
    return len(self.labels)

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
    logits_BxTxC = self.logits(apply, problem)
    return _supervised.label_terms(logits_BxTxC, problem.targets_BxP)
