"""Trains by permutation language modelling (XLNet)."""

from __future__ import annotations

import dataclasses
from typing import Literal

import jax
import jax.numpy as jnp

from lm_jax import layout
from lm_jax.layout import take
from lm_jax.objectives import _scores, base, corrupt
from lm_jax.support.errors import UsageError
from lm_jax.types import NEVER, Array, Likelihood, Problem, Rows, Spec, Stream


@dataclasses.dataclass(frozen=True)
class PermutationLM(base.Objective):
  """Predicts tokens in a random order, from those earlier in it (XLNet).

  Yang et al. 2019, equation 5: L = -sum_(t > c) log p(x_(z_t) | x_(z_<t)), z a
  random order, of which the last 1/K (K = 6) are predicted. The second stream
  is made of more tokens of the same stream: query tokens that read [MASK] at
  the target's position, see the tokens before it in the order, and are
  invisible to all tokens.

  Departures. With context="ordered" a token that is not a target sees only
  those before it in the order, as equation 3 reads; with the default,
  "mutual", these tokens see one another, as in the released code. Special
  tokens come first in every order. The order is of the whole row; with
  `perm_size`, as in the released code (256 of 512), it is drawn for that
  many positions and used in each block of them, blocks from left to right.
  Targets are single tokens; the released code takes spans of 1 to 5 words
  within 6 times as many tokens. The query starts from the embedding of [MASK],
  or from a separate vector if the trunk has a query_embedding. There is no
  memory, no text is read backwards (bi_data), and rows are not pairs of texts;
  they have no token types, so XLNet's relative segment encoding is not used.
  """

  architectures = frozenset({"encoder"})
  natural = "encoder"
  scoring = "pseudo_log_likelihood"
  fills = True
  needs = ("mask",)

  K: int = base.option(6, "predict one token in K")
  perm_size: int = base.option(
    0,
    "positions per block; the order is drawn for one block, and blocks follow"
    " from left to right (XLNet: 256 of 512); 0: the row is one block",
    absent=0,
  )
  context: Literal["mutual", "ordered"] = base.option(
    "mutual",
    "what tokens that are not predicted see; mutual: one another; ordered:"
    " those before them in the order",
  )
  pseudo_likelihood: Literal["within_word", "original"] = base.option(
    "within_word", _scores.PSEUDO_LIKELIHOOD
  )

  def check(self, spec: Spec, batch_size: int, accumulate: int) -> None:
    super().check(spec, batch_size, accumulate)
    if not 1 <= self.K <= spec.length // 2:
      raise UsageError(
        f"--objective.K={self.K}: must be 1 to {spec.length // 2} "
        f"(half of --length={spec.length})"
      )

    if not 0 <= self.perm_size <= spec.length:
      raise UsageError(
        f"--objective.perm_size={self.perm_size}: must be 0 to {spec.length}"
        f" (--length={spec.length})"
      )
    if self.perm_size and self.context == "ordered":
      raise UsageError(
        f"--objective.perm_size={self.perm_size}: needs"
        " --objective.context=mutual, as in XLNet's code"
      )

  def make(self, rng: Array, rows: Rows, spec: Spec) -> Problem:
    keys_B = corrupt.row_keys(rng, rows.tokens_BxL)
    length = rows.tokens_BxL.shape[1]
    eligible_BxL = base.eligible(rows, spec)
    size_B = jnp.sum(eligible_BxL, axis=1)
    noise_BxL = corrupt.uniform(keys_B, length)
    order_BxL = corrupt.ranks(jnp.where(eligible_BxL, noise_BxL, 2.0))
    count_B = jnp.minimum(jnp.maximum(size_B // self.K, 1), size_B)
    first_Bx1 = (size_B - count_B)[:, None]
    target_BxL = eligible_BxL & (order_BxL >= first_Bx1)
    rank_BxL = jnp.where(eligible_BxL, 1 + order_BxL, 0)
    if self.context == "mutual":
      rank_BxL = jnp.where(target_BxL, 1 + order_BxL - first_Bx1, 0)
    if self.perm_size:
      place_BxL = self._in_blocks(keys_B, length)
      rank_BxL = jnp.where(target_BxL, 1 + place_BxL, 0)
    slots = max(1, length // self.K)
    return queries(rows, rank_BxL, target_BxL, slots, spec)

  def _in_blocks(self, keys_B: Array, length: int) -> Array:
    """Returns the place of each position in the order of the blocks: [B, L]."""
    size = self.perm_size
    key_B = jax.vmap(lambda key: jax.random.fold_in(key, 1))(keys_B)
    order_BxS = corrupt.ranks(corrupt.uniform(key_B, size))
    index = jnp.arange(length)
    return size * (index // size) + order_BxS[:, index % size]

  def score(self, apply, rows: Rows, spec: Spec) -> Array:
    """Computes log p(x_i | all others), each by a query token: [B, L]."""
    within_word = self.pseudo_likelihood == "within_word"

    def score_one(i):
      at_BxL = _scores.hidden_at(i, rows, within_word=False)
      hidden_BxL = _scores.hidden_at(i, rows, within_word)
      problem = queries(rows, hidden_BxL.astype(jnp.int32), at_BxL, 1, spec)
      hidden_BxTxD = apply.hidden(problem.inputs)
      nll_Bx1 = apply.nll(
        hidden_BxTxD, problem.targets_BxP, problem.positions_BxP
      )
      return -nll_Bx1[:, 0]

    return _scores.one_at_a_time(score_one, rows, spec)

  @classmethod
  def likelihood(cls) -> Likelihood:
    return Likelihood("exact", "chain rule in the order of the text")

  def log_likelihood(self, apply, rows: Rows, spec: Spec, draw: Array) -> Array:
    """Computes log p(x_i | x_<i): float32 [B, L].

    Equation 3 in one order, from left to right, with context="ordered"
    whatever the option: a token sees those before it only. So the product is a
    probability, and the end of the text is not seen.
    """
    tokens_BxL = jnp.asarray(rows.tokens_BxL)
    index_BxL = jnp.broadcast_to(
      jnp.arange(tokens_BxL.shape[1], dtype=jnp.int32), tokens_BxL.shape
    )
    eligible_BxL = base.eligible(rows, spec)
    problem = _with_queries(rows, index_BxL, index_BxL, eligible_BxL, spec)
    hidden_BxTxD = apply.hidden(problem.inputs)
    nll_BxL = apply.nll(
      hidden_BxTxD, problem.targets_BxP, problem.positions_BxP
    )
    return jnp.where(eligible_BxL, -nll_BxL, 0.0)

  def fill(self, apply, rows: Rows, spec: Spec, positions_BxP: Array) -> Array:
    """Puts blanks last in the order: each sees all known tokens."""
    blank_BxL = rows.tokens_BxL == spec.specials.mask
    every_BxP = jnp.ones_like(positions_BxP, bool)
    problem = _with_queries(
      rows, blank_BxL.astype(jnp.int32), positions_BxP, every_BxP, spec
    )
    hidden_BxTxD = apply.hidden(problem.inputs)
    return apply.head("vocabulary", hidden_BxTxD, problem.positions_BxP)


def queries(
  rows: Rows, rank_BxL: Array, target_BxL: Array, slots: int, spec: Spec
) -> Problem:
  """Appends a query token for each target to the row: T = L + slots.

  Args:
    rows: [B, L].
    rank_BxL: int32, place in the order; equal ranks see one another.
    target_BxL: bool, the tokens to predict, at most `slots` in a row.
    slots: number of query tokens, static.
    spec: the special tokens.

  Tokens 2 and 3 come last, and each has a query that sees the earlier ones:

  >>> from lm_jax.visibility import visible
  >>> one = jnp.ones((1, 4), jnp.int32)
  >>> rows = Rows(jnp.array([[2, 200, 201, 202]]), one, one, one, one)
  >>> rank = jnp.array([[0, 0, 1, 2]])
  >>> s = queries(rows, rank, rank > 0, 2, Spec("encoder", 4, 300)).inputs
  >>> visible(
  ...   s.segment_BxT, s.query_rank_BxT, s.segment_BxT, s.key_rank_BxT
  ... )[0].astype(int)
  Array([[1, 1, 0, 0, 0, 0],
         [1, 1, 0, 0, 0, 0],
         [1, 1, 1, 0, 0, 0],
         [1, 1, 1, 1, 0, 0],
         [1, 1, 0, 0, 0, 0],
         [1, 1, 1, 0, 0, 0]], dtype=int32)
  """
  at_BxP, there_BxP = layout.compact(target_BxL, slots)
  return _with_queries(rows, rank_BxL, at_BxP, there_BxP, spec)


def _with_queries(
  rows: Rows, rank_BxL: Array, at_BxP: Array, there_BxP: Array, spec: Spec
) -> Problem:
  """Appends query tokens like `queries`, given the positions of the targets."""
  length, slots = rows.tokens_BxL.shape[1], at_BxP.shape[1]
  position_BxL = layout.positions(rows.segment_BxL)

  def join(content_BxL, query_BxP, absent):
    query_BxP = jnp.where(there_BxP, query_BxP, absent)
    return jnp.concatenate([content_BxL, query_BxP], axis=1)

  mask_BxP = jnp.full_like(at_BxP, spec.specials.mask)
  inputs = Stream(
    tokens_BxT=join(rows.tokens_BxL, mask_BxP, spec.specials.pad),
    position_BxT=join(position_BxL, take(position_BxL, at_BxP), 0),
    segment_BxT=join(rows.segment_BxL, take(rows.segment_BxL, at_BxP), 0),
    query_rank_BxT=join(rank_BxL, take(rank_BxL, at_BxP) - 1, 0),
    key_rank_BxT=join(rank_BxL, jnp.full_like(at_BxP, NEVER), NEVER),
    mask="ranked",
  )
  place_BxP = jnp.arange(length, length + slots, dtype=jnp.int32)
  return dataclasses.replace(
    base.predicting(inputs, rows.tokens_BxL, at_BxP, there_BxP),
    positions_BxP=jnp.broadcast_to(place_BxP, at_BxP.shape),
  )
