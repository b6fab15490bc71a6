"""Masked language modelling with next-sentence prediction (BERT)."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

import jax
import jax.numpy as jnp

from lm_jax import layout
from lm_jax.objectives import base, mlm
from lm_jax.types import (
  PADDING,
  Array,
  Head,
  Problem,
  Rows,
  Spec,
  Term,
  UsageError,
)


@dataclasses.dataclass(frozen=True)
class MaskedLMNextSentence(mlm.MaskedLM):
  """Masked LM, and: does the second half follow the first? (BERT)

  Devlin et al. 2019, section 3.1: L = L_MLM + L_NSP, the latter the
  cross-entropy of a two-way head on the boundary token. A row is cut at the
  sentence end nearest to its middle and laid out as [BOS] A [SEP] B [SEP],
  with token types 0 and 1 where the trunk has them; for half of the rows, B
  is that of the row before in the batch. Departure: B comes from the batch,
  where BERT draws any document; rows are needed that hold one document each.
  """

  needs_documents: ClassVar[bool] = True
  needs: ClassVar[tuple[str, ...]] = ("mask", "separator")

  def check(self, spec: Spec, batch_size: int, accumulate: int) -> None:
    super().check(spec, batch_size, accumulate)
    if batch_size < 2:
      raise UsageError(
        f"--batch_size={batch_size}: mlm_nsp takes second halves from other "
        "rows of the batch, so it must be 2 or more"
      )

  def heads(self, spec: Spec) -> dict[str, Head]:
    return {"pair": Head(2, pool="first", transform="tanh")}

  def make(self, rng: Array, rows: Rows, spec: Spec) -> Problem:
    pair_rng, mask_rng = jax.random.split(rng)
    swap_B = jax.random.bernoulli(pair_rng, 0.5, rows.tokens_BxL.shape[:1])
    first = halves(rows, spec)
    other = jax.tree.map(lambda x: jnp.roll(x, 1, axis=0), first)
    # A row without two sentences, or beside one, is no pair.
    real_B = first.two_B & other.two_B
    second = jax.tree.map(
      lambda own, rolled: jnp.where(
        (swap_B & real_B).reshape((-1,) + (1,) * (own.ndim - 1)), rolled, own
      ),
      first,
      other,
    )
    joined, type_BxT = join(
      first.tokens, first.a, second.tokens, second.b, spec
    )
    return self.pair_problem(mask_rng, joined, type_BxT, swap_B, real_B, spec)

  def pair_problem(
    self, rng, joined: Rows, type_BxT, label_B, real_B, spec: Spec
  ) -> Problem:
    """Masked LM's problem over joined halves, with the pair's label."""
    problem = super().make(rng, joined, spec)
    inputs = dataclasses.replace(problem.inputs, type_BxT=type_BxT)
    return dataclasses.replace(
      problem,
      inputs=inputs,
      weights={**problem.weights, "pair": real_B.astype(jnp.float32)},
      extra={"label_B": label_B.astype(jnp.int32)},
    )

  def loss(self, apply, problem: Problem, rng: Array) -> dict[str, Term]:
    hidden_BxTxD = apply.hidden(problem.inputs)
    losses_BxP = apply.nll(
      hidden_BxTxD, problem.targets_BxP, problem.positions_BxP
    )
    logits_Bx2 = apply.head("pair", hidden_BxTxD)
    label_B = problem.extra["label_B"]
    logp_Bx2 = jax.nn.log_softmax(logits_Bx2)
    pair_B = -jnp.take_along_axis(logp_Bx2, label_B[:, None], axis=1)[:, 0]
    right_B = (jnp.argmax(logits_Bx2, axis=1) == label_B).astype(jnp.float32)
    return {
      "nll": Term(losses_BxP),
      "pair": Term(pair_B, metrics={"pair_accuracy": right_B}),
    }


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Halves:
  """A batch of rows cut in two: tokens, and which belong to A and to B."""

  tokens: Rows
  a: Array
  b: Array
  two_B: Array


def halves(rows: Rows, spec: Spec) -> Halves:
  """Cuts each row at the sentence start nearest to its middle."""
  index = jnp.arange(rows.tokens_BxL.shape[1])[None]
  text_BxL = (rows.segment_BxL > 0) & (rows.tokens_BxL != spec.specials.end)
  text_BxL = text_BxL & ~base.opening(rows, spec)
  size_Bx1 = jnp.sum(rows.segment_BxL > 0, axis=1, keepdims=True)
  new_BxL = jnp.roll(rows.sentence_BxL, 1, axis=1) != rows.sentence_BxL
  new_BxL = new_BxL & text_BxL & (index > 1)
  distance_BxL = jnp.abs(2 * index - size_Bx1)
  distance_BxL = jnp.where(new_BxL, distance_BxL, 4 * index.shape[1])
  cut_Bx1 = jnp.argmin(distance_BxL, axis=1)[:, None]
  two_B = jnp.any(new_BxL, axis=1)
  cut_Bx1 = jnp.where(two_B[:, None], cut_Bx1, index.shape[1])
  return Halves(
    rows, text_BxL & (index < cut_Bx1), text_BxL & (index >= cut_Bx1), two_B
  )


def join(
  first: Rows, a_BxL: Array, second: Rows, b_BxL: Array, spec: Spec
) -> tuple[Rows, Array]:
  """[BOS] A [SEP] B [SEP] in rows of L + 2 tokens, and the token types.

  Where A and B of two rows are too long together, the end of B is cut.
  """
  length = first.tokens_BxL.shape[1]
  specials = spec.specials
  room_Bx1 = length - 1 - jnp.sum(a_BxL, axis=1, keepdims=True)
  b_BxL = b_BxL & (jnp.cumsum(b_BxL, axis=1) <= room_Bx1)
  one = jnp.ones_like(first.tokens_BxL[:, :1])
  keep = jnp.concatenate([one, a_BxL, one, b_BxL, one], axis=1) > 0
  index, there = layout.compact(keep, length + 2)

  def lay(opening, values_a, middle, values_b, closing, absent):
    values = jnp.concatenate(
      [one * opening, values_a, one * middle, values_b, one * closing], axis=1
    )
    return jnp.where(there, layout.take(values, index), absent)

  tokens = lay(
    specials.boundary,
    first.tokens_BxL,
    specials.separator,
    second.tokens_BxL,
    specials.separator,
    specials.pad,
  )
  zero = jnp.zeros_like(first.tokens_BxL)
  # Words of A and B stay apart, and so do those of the special tokens.
  word = lay(
    0, first.word_BxL + 1, length + 1, second.word_BxL + length + 2, 0, 0
  )
  _, word = _renumber(word)
  joined = Rows(
    tokens_BxL=tokens,
    segment_BxL=there.astype(jnp.int32),
    word_BxL=word,
    sentence_BxL=lay(0, first.sentence_BxL, 0, second.sentence_BxL, 0, 0),
    part_BxL=jnp.where(there, 1, PADDING),
  )
  return joined, lay(0, zero, 0, zero + 1, 1, 0)


def _renumber(word_BxT: Array) -> tuple[Array, Array]:
  """Numbers runs of equal values from 0, so that ids stay below T."""
  new = layout.starts(word_BxT)
  return new, jnp.cumsum(new, axis=1, dtype=jnp.int32) - 1
