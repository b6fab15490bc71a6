"""Fine-tunes extractive question answering: the answer is a span."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp

from lm_jax.objectives import _supervised
from lm_jax.objectives._heads import DROPOUT, TokenHead
from lm_jax.objectives.base import option
from lm_jax.types import Array, Problem, Rows, Spec, Term

# Bits of Rows.label, which is -1 where no answer is possible.
START, END = 1, 2
# Logit of tokens that may not be chosen.
_NEVER = -1e30


@dataclasses.dataclass(frozen=True)
class Extract(TokenHead):
  """L = mean over examples of -(log p(start) + log p(end)) / 2.

  Devlin et al. 2019, sections 4.2 and 4.3: p(start) is the softmax of one
  logit of each token over the tokens that may be an answer, p(end) that of
  another; an example without answer starts and ends at the boundary token. In
  a packed row each example has a separate softmax. Rows.label is -1 where no
  answer is possible; elsewhere it has the bits START and END. Departure: BERT's
  softmax also runs over the question and the padding.
  """

  head = "span"
  size = 2  # start and end

  dropout: float = option(0.0, DROPOUT, least=0, below=1)
  longest: int = option(30, "most tokens of an answer", least=1)
  margin: float = option(
    0.0,
    "how far the best answer's logits may be below those of no answer for it"
    " to be given; if negative, how far they must be above",
  )

  def make(self, rng: Array, rows: Rows, spec: Spec) -> Problem:
    assert rows.label is not None  # of a supervised objective's rows
    problem = _supervised.context_problem(rows, spec)
    count = _supervised.room(rows.tokens_BxL.shape[1])
    label_BxL = jnp.maximum(rows.label, 0)
    ends = (label_BxL & START, label_BxL & END)
    both_BxS = jnp.ones((rows.tokens_BxL.shape[0], count), bool)
    for one_BxL in ends:
      in_BxSxL = members(rows.segment_BxL, one_BxL > 0, count)
      both_BxS = both_BxS & jnp.any(in_BxSxL, axis=2)
    return dataclasses.replace(
      problem,
      targets_BxP=rows.label,
      weights={"nll": both_BxS.astype(jnp.float32)},
      extra={"segment_BxL": rows.segment_BxL},
    )

  def loss(self, apply, problem: Problem, rng: Array) -> dict[str, Term]:
    logits_BxTx2 = self.logits(apply, problem)
    label_BxT, segment_BxT = problem.targets_BxP, problem.extra["segment_BxL"]
    count = problem.weights["nll"].shape[1]
    may_BxSxT = members(segment_BxT, label_BxT >= 0, count)
    losses, right = [], []
    for column, bit in enumerate((START, END)):
      is_BxT = (label_BxT >= 0) & ((label_BxT & bit) > 0)
      is_BxSxT = members(segment_BxT, is_BxT, count)
      logits_Bx1xT = logits_BxTx2[:, None, :, column]
      logits_BxSxT = jnp.where(may_BxSxT, logits_Bx1xT, _NEVER)
      chosen_BxS = jnp.max(jnp.where(is_BxSxT, logits_Bx1xT, _NEVER), axis=2)
      losses.append(jax.nn.logsumexp(logits_BxSxT, axis=2) - chosen_BxS)
      right.append(chosen_BxS >= jnp.max(logits_BxSxT, axis=2))
    accuracy_BxS = (right[0] & right[1]).astype(jnp.float32)
    return {
      "nll": Term(
        (losses[0] + losses[1]) / 2, metrics={"accuracy": accuracy_BxS}
      )
    }


def members(segment_BxL: Array, which_BxL: Array, count: int) -> Array:
  """Mask of some tokens in segments 1 to `count`: bool [B, count, L].

  >>> members(jnp.array([[1, 1, 2]]), jnp.array([[True, False, True]]), 2)
  Array([[[ True, False, False],
          [False, False,  True]]], dtype=bool)
  """
  number_S = jnp.arange(1, count + 1)
  in_BxSxL = segment_BxL[:, None, :] == number_S[None, :, None]
  return in_BxSxL & which_BxL[:, None, :]
