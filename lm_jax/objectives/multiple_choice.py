"""Fine-tunes multiple choice: a score for each candidate answer."""

from __future__ import annotations

import dataclasses

import jax.numpy as jnp

from lm_jax.objectives import _supervised
from lm_jax.objectives._heads import DROPOUT, TextHead
from lm_jax.objectives.base import option
from lm_jax.support.errors import UsageError
from lm_jax.types import Apply, Array, Problem, Rows, Spec, Term

# Score of a missing candidate.
_NEVER = -1e30


@dataclasses.dataclass(frozen=True)
class MultipleChoice(TextHead):
  """L = -1/n sum log softmax(f(texts with candidate))[right] over n examples.

  The softmax runs over the candidates of an example, each a separate text with
  the question (Radford et al. 2018, section 3.3; Devlin et al. 2019, section
  4.4; Liu et al. 2019, section 5). f is a head of one output, on the same
  states as in classify, and also starts from the pooler. It is the same for
  every candidate, so that its bias changes nothing; BERT has one nevertheless.

  An example is one segment of a row and holds its candidates side by side; none
  sees another, and positions restart in each. Rows.label is twice the index of
  the token's candidate, plus 1 if that is the right one.
  """

  # The families' name for the head of Transformers' ...ForMultipleChoice.
  head = "choice"
  parts_examples = True

  choices: int = option(
    0,
    "most candidates of an example; a row has this many times their length",
    least=2,
  )
  dropout: float = option(0.1, DROPOUT, least=0, below=1)

  def check(self, spec: Spec, batch_size: int, accumulate: int) -> None:
    super().check(spec, batch_size, accumulate)
    if spec.length // self.choices < _supervised.SHORTEST:
      raise UsageError(
        f"--length={spec.length}: must be at least"
        f" {_supervised.SHORTEST * self.choices}, for {self.choices} candidates"
        " in a row"
      )

  def make(self, rng: Array, rows: Rows, spec: Spec) -> Problem:
    problem, place_BxS = self._read(rows, spec)
    batch, count = place_BxS.shape
    label_BxS = _supervised.values_of_texts(rows.label, _supervised.texts(rows))
    is_right_BxS = (label_BxS >= 0) & (label_BxS % 2 == 1)
    example_BxS = jnp.where(is_right_BxS, place_BxS // self.choices, count)
    index_BxS = place_BxS % self.choices
    right_BxE = jnp.full((batch, count), -1, jnp.int32)
    right_BxE = right_BxE.at[jnp.arange(batch)[:, None], example_BxS].set(
      index_BxS, mode="drop"
    )
    return dataclasses.replace(
      problem,
      targets_BxP=right_BxE,
      weights={"nll": (right_BxE >= 0).astype(jnp.float32)},
      extra={"place_BxS": place_BxS},
    )

  def loss(self, apply, problem: Problem, rng: Array) -> dict[str, Term]:
    logits_BxExC = self._by_example(apply, problem, problem.extra["place_BxS"])
    return _supervised.label_terms(logits_BxExC, problem.targets_BxP)

  def outputs(self, apply: Apply, rows: Rows, spec: Spec) -> Array:
    return self._by_example(apply, *self._read(rows, spec))

  def _read(self, rows: Rows, spec: Spec) -> tuple[Problem, Array]:
    """Lays out each candidate as a segment; returns places of their scores.

    Returns:
      A problem without targets; and for each of S candidates a place in E * C,
      int32 [B, S], with C = choices and E = S; E * C for missing candidates.
    """
    number_BxL = _supervised.texts(rows)
    label_BxS = _supervised.values_of_texts(rows.label, number_BxL)
    segment_BxS = _supervised.values_of_texts(rows.segment_BxL, number_BxL)
    count = label_BxS.shape[1]
    place_BxS = jnp.where(
      label_BxS >= 0,
      (segment_BxS - 1) * self.choices + label_BxS // 2,
      count * self.choices,
    )
    rows = dataclasses.replace(rows, segment_BxL=number_BxL)
    problem = _supervised.text_problem(rows, spec)
    longest = rows.tokens_BxL.shape[1] // self.choices
    inputs = dataclasses.replace(problem.inputs, longest=longest)
    return dataclasses.replace(problem, inputs=inputs), place_BxS

  def _by_example(
    self, apply: Apply, problem: Problem, place_BxS: Array
  ) -> Array:
    """Computes the scores of each example's candidates: float32 [B, E, C]."""
    score_BxS = self.logits(apply, problem)[..., 0]
    batch, count = place_BxS.shape
    logits_BxM = jnp.full((batch, count * self.choices), _NEVER, jnp.float32)
    logits_BxM = logits_BxM.at[jnp.arange(batch)[:, None], place_BxS].set(
      score_BxS.astype(jnp.float32), mode="drop"
    )
    return logits_BxM.reshape(batch, count, self.choices)
