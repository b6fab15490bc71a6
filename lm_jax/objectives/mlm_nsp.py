"""Trains masked language models with next-sentence prediction (BERT)."""

from __future__ import annotations

import dataclasses
from typing import Literal

import jax
import jax.numpy as jnp

from lm_jax.objectives import _pairs, base, corrupt, mlm
from lm_jax.support.errors import UsageError
from lm_jax.types import Array, Head, Problem, Rows, Spec, Term


@dataclasses.dataclass(frozen=True)
class MaskedLMNextSentence(mlm.MaskedLM):
  """Adds to masked LM: does the second text follow the first? (BERT)

  Devlin et al. 2019, section 3.1: L = L_MLM + L_NSP, the latter the
  cross-entropy of a two-way head on the boundary token. A row of one document
  is cut before a random sentence and laid out as [BOS] A [SEP] B [SEP], with
  token types 0 and 1 where the trunk has them; for half of the rows, B is
  that of another document.
  Departures: BERT draws B's start in any document and cuts the longer text,
  at either end, until both fit. Here the rows of a batch are coupled at
  random, each with one of another document; both are cut where their second
  parts are nearest in length, and half of the couples exchange these. So
  sentences stay whole, every text is read once, and B's length, first and last
  token have the same distribution whether it follows or not. A row without
  partner has no part in L_NSP. `short` pairs leave the rest of their row
  unread; BERT continues with it. With pairs="halves" (older runs) a row is cut
  at the sentence nearest to its middle and B comes from the row before it in
  the batch, of any document.
  """

  needs_documents = True
  needs = ("mask", "separator")

  pairs: Literal["sentences", "halves"] = base.option(
    "sentences",
    "where rows are cut; sentences: before a random sentence, in both kinds of"
    " pairs alike; halves: in the middle, as in older runs",
    absent="halves",
  )
  short: float = base.option(
    0.0,
    "fraction of pairs with a random length, at least two sentences; the rest"
    " of their row is not read (BERT, ALBERT: 0.1)",
    absent=0.0,
    least=0,
    most=1,
  )

  @property
  def uses_sentences(self) -> str:
    return "cuts rows between sentences"

  def check(self, spec: Spec, batch_size: int, accumulate: int) -> None:
    self.check_pairs(spec, batch_size, accumulate)
    if batch_size < 2:
      raise UsageError(
        f"--batch_size={batch_size}: mlm_nsp takes second halves from other "
        "rows of the batch, so it must be 2 or more"
      )

  def check_pairs(self, spec: Spec, batch_size: int, accumulate: int) -> None:
    """Checks what all pairs need."""
    super().check(spec, batch_size, accumulate)
    if self.short and self.pairs == "halves":
      raise UsageError(
        f"--objective.short={self.short}: needs --objective.pairs=sentences"
      )

  def heads(self, spec: Spec) -> dict[str, Head]:
    return {"pair": Head(2, pool="first", transform="tanh")}

  def make(self, rng: Array, rows: Rows, spec: Spec) -> Problem:
    pair_rng, mask_rng = jax.random.split(rng)
    if self.pairs == "halves":
      first, partner_B, label_B, real_B = _halved(pair_rng, rows, spec)
    else:
      first, partner_B, label_B, real_B = self._coupled(pair_rng, rows, spec)
    other = jax.tree.map(lambda x: x[partner_B], first)
    second = jax.tree.map(
      lambda own, others: jnp.where(
        (label_B & real_B).reshape((-1,) + (1,) * (own.ndim - 1)), others, own
      ),
      first,
      other,
    )
    joined, type_BxT = _pairs.join(
      first.tokens, first.a, second.tokens, second.b, spec
    )
    return self.pair_problem(mask_rng, joined, type_BxT, label_B, real_B, spec)

  def _coupled(self, rng: Array, rows: Rows, spec: Spec):
    """Returns the cut rows, their partners, labels, and which are pairs."""
    couple_rng, label_rng, short_rng, cut_rng = jax.random.split(rng, 4)
    batch, length = rows.tokens_BxL.shape
    every = jnp.ones((batch, 1))
    two_B = _pairs.sentences(rows, spec, every).two_B
    partner_B, coupled_B = _pairs.couples(couple_rng, rows, two_B)
    # The first row of a couple decides for both.
    leader_B = jnp.minimum(partner_B, jnp.arange(batch))
    share_Bx1 = self.shares(short_rng, batch)[leader_B]
    text = _pairs.sentences(rows, spec, share_Bx1)
    keys_B, alone_B = corrupt.two_keys(jax.random.split(cut_rng, batch))
    place_Bx1, fits_B = _pairs.alike(keys_B, text, partner_B, length - 1)
    real_B = coupled_B & fits_B
    alone_Bx1 = _pairs.anywhere(alone_B, text)
    place_Bx1 = jnp.where(real_B[:, None], place_Bx1, alone_Bx1)
    label_B = jax.random.bernoulli(label_rng, 0.5, (batch,))[leader_B]
    return _pairs.cut(text, rows, place_Bx1), partner_B, label_B, real_B

  def shares(self, rng: Array, batch: int) -> Array:
    """Draws the least share of the room that each pair takes: [B, 1]."""
    which, size = jax.random.uniform(rng, (2, batch, 1))
    return jnp.where(which < self.short, size, 1.0)

  def pair_problem(
    self, rng, joined: Rows, type_BxT, label_B, real_B, spec: Spec
  ) -> Problem:
    """Makes masked LM's problem over joined halves, with the pair's label."""
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


def _halved(rng: Array, rows: Rows, spec: Spec):
  """Couples each row with the one before it; else like `_coupled`."""
  batch = rows.tokens_BxL.shape[0]
  label_B = jax.random.bernoulli(rng, 0.5, (batch,))
  first = _pairs.halves(rows, spec)
  partner_B = (jnp.arange(batch) - 1) % batch
  # A row without two sentences, or after such a row, is no pair.
  return first, partner_B, label_B, first.two_B & first.two_B[partner_B]
