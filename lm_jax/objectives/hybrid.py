"""Trains causal and masked language modelling in one batch (GPT-BERT)."""

from __future__ import annotations

import dataclasses
import functools
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np

from lm_jax import layout
from lm_jax.objectives import _scores, base, corrupt, mlm
from lm_jax.support.errors import UsageError
from lm_jax.types import Array, Likelihood, Problem, Rows, Spec, Term


@dataclasses.dataclass(frozen=True)
class Hybrid(base.Objective):
  """Trains one stack on causal and on masked rows (GPT-BERT).

  Charpentier and Samuel 2024, section 3: masked tokens are predicted at the
  position before them (masked next-token prediction), so that both kinds of
  row have one output; L = causal * L_CLM + (1 - causal) * L_masked, each the
  mean over its own targets. With masked="mlm" tokens are predicted in place.
  Departures: the kind is chosen by row within each batch, where the paper
  gives each GPU one; by default single tokens are masked at one rate, and
  there is no z-loss. As released: causal=0.0625 (or another share), rate=0.3,
  final_rate=0.15 (the rate falls with the budget), longest_span=3 (a row is
  tiled by spans of 1 to 3 tokens, and 80/10/10 is drawn by the span),
  z_loss=1e-4 (that much of the mean of log(Z)^2 is added to each loss). There,
  the last span is masked whole; here it is cut where the rate is reached.
  """

  architectures = frozenset({"prefix_decoder"})
  natural = "prefix_decoder"
  scoring = "pseudo_log_likelihood"
  continues = True
  fills = True
  needs = ("mask",)

  causal: float = base.option(
    0.5, "fraction of rows in a batch that are causal", above=0, below=1
  )
  rate: float = base.option(
    0.15, "fraction of the tokens to mask", above=0, below=1
  )
  final_rate: float = base.option(
    0.0,
    "fraction of the tokens to mask at the end of the budget; --objective.rate"
    " goes there linearly (GPT-BERT: 0.15, from 0.3); 0: the rate is constant",
    absent=0.0,
    least=0,
    below=1,
  )
  longest_span: int = base.option(
    1,
    "longest span of tokens to mask; spans have 1 to this many (GPT-BERT: 3)",
    absent=1,
  )
  z_loss: float = base.option(
    0.0,
    "weight of the mean square of the softmax's log normalizer (GPT-BERT:"
    " 1e-4)",
    absent=0.0,
    least=0,
  )
  masked: Literal["mntp", "mlm"] = base.option(
    "mntp", "where a masked token is predicted; mntp: before it; mlm: in place"
  )
  pseudo_likelihood: Literal["within_word", "original"] = base.option(
    "within_word", _scores.PSEUDO_LIKELIHOOD
  )

  def check(self, spec: Spec, batch_size: int, accumulate: int) -> None:
    super().check(spec, batch_size, accumulate)
    if not 1 <= self.longest_span <= spec.length // 2:
      raise UsageError(
        f"--objective.longest_span={self.longest_span}: must be 1 to"
        f" {spec.length // 2} (half of --length={spec.length})"
      )
    micro = batch_size // accumulate
    rows = self.causal * micro
    if abs(rows - round(rows)) > 1e-6 or not 0 < round(rows) < micro:
      raise UsageError(
        f"--objective.causal={self.causal}: must give whole rows of both "
        f"kinds in each pass of {micro} rows (--batch_size / --accumulate)"
      )

  @property
  def follows_budget(self) -> bool:
    return self.final_rate > 0

  def make(
    self, rng: Array, rows: Rows, spec: Spec, spent: Array | float = 1.0
  ) -> Problem:
    causal_B = self._is_causal(rows.tokens_BxL.shape[0])
    masked = self._masked(rng, rows, spec, spent)
    at_BxP: Array = masked.positions_BxP
    if self.masked == "mntp":
      at_BxP = jnp.maximum(at_BxP - 1, 0)
    next_BxL, weight_BxL = base.next_token(rows, spec)
    tokens_BxL = jnp.where(
      causal_B[:, None], rows.tokens_BxL, masked.inputs.tokens_BxT
    )
    rank_BxL = jnp.where(
      causal_B[:, None], jnp.arange(rows.tokens_BxL.shape[1])[None], 0
    )
    inputs = layout.stream(
      tokens_BxL, rows.segment_BxL, "ranked", rank_BxL.astype(jnp.int32)
    )
    c, m = np.flatnonzero(causal_B), np.flatnonzero(~causal_B)
    return Problem(
      inputs=inputs,
      source=None,
      targets_BxP=next_BxL[c],
      weights={"causal": weight_BxL[c], "masked": masked.weights["nll"][m]},
      extra={"targets_BxP": masked.targets_BxP[m], "at_BxP": at_BxP[m]},
    )

  def _masked(self, rng, rows: Rows, spec: Spec, spent) -> Problem:
    """Makes the problem with all rows masked and targets in place."""
    rate, most = self.rate, self.rate
    if self.final_rate:
      rate = self.rate + spent * (self.final_rate - self.rate)
      most = max(self.rate, self.final_rate)
    elif self.longest_span == 1:
      return mlm.MaskedLM(rate=self.rate).make(rng, rows, spec)
    length = rows.tokens_BxL.shape[1]
    keys_B = corrupt.row_keys(rng, rows.tokens_BxL)
    tile_keys, choose_keys = corrupt.two_keys(keys_B)
    eligible_BxL = base.eligible(rows, spec)
    tile_BxL = corrupt.uniform_tiles(tile_keys, length, self.longest_span)
    chosen_BxL = corrupt.choose_units(
      choose_keys,
      tile_BxL,
      eligible_BxL,
      corrupt.share(rate, eligible_BxL),
      whole=False,
    )
    position_BxP, there_BxP = layout.compact(
      chosen_BxL, corrupt.slots(most, length)
    )
    tokens_BxL = corrupt.mask_out(
      keys_B, rows.tokens_BxL, chosen_BxL, spec, unit_BxL=tile_BxL
    )
    inputs = layout.stream(tokens_BxL, rows.segment_BxL, "full")
    return base.predicting(inputs, rows.tokens_BxL, position_BxP, there_BxP)

  def loss(self, apply, problem: Problem, rng: Array) -> dict[str, Term]:
    hidden_BxLxD = apply.hidden(problem.inputs)
    causal_B = self._is_causal(hidden_BxLxD.shape[0])
    nll = functools.partial(_nll, apply, self.z_loss)
    causal = nll(
      hidden_BxLxD[np.flatnonzero(causal_B)], problem.targets_BxP, None
    )
    masked = nll(
      hidden_BxLxD[np.flatnonzero(~causal_B)],
      problem.extra["targets_BxP"],
      problem.extra["at_BxP"],
    )
    return {
      "causal": Term(causal, self.causal),
      "masked": Term(masked, 1 - self.causal),
    }

  def score(self, apply, rows: Rows, spec: Spec) -> Array:
    return mlm.masked_score(
      apply,
      rows,
      spec,
      self.pseudo_likelihood == "within_word",
      back=1 if self.masked == "mntp" else 0,
    )

  @classmethod
  def likelihood(cls) -> Likelihood:
    return Likelihood("exact", "left-to-right chain rule of causal rows")

  def log_likelihood(self, apply, rows: Rows, spec: Spec, draw: Array) -> Array:
    return _scores.left_to_right_score(apply, rows, spec)

  def prompt(self, rows: Rows, spec: Spec) -> Problem:
    return Problem(layout.in_place(rows, spec), None, rows.tokens_BxL, {})

  def fill(self, apply, rows: Rows, spec: Spec, positions_BxP: Array) -> Array:
    inputs = layout.stream(rows.tokens_BxL, rows.segment_BxL, "full")
    hidden_BxLxD = apply.hidden(inputs)
    if self.masked == "mntp":
      positions_BxP = jnp.maximum(positions_BxP - 1, 0)
    return apply.head("vocabulary", hidden_BxLxD, positions_BxP)

  def _is_causal(self, batch: int) -> np.ndarray:
    """Spreads the causal rows evenly, the same in each pass: bool [B]."""
    edge = np.floor(np.arange(batch + 1) * self.causal + 1e-6)
    return edge[1:] > edge[:-1]


def _nll(apply, z_loss: float, hidden_BxTxD, targets_BxP, positions) -> Array:
  """Computes -log p(target) + z_loss * log(Z)^2: float32 [B, P]."""
  if not z_loss:
    return apply.nll(hidden_BxTxD, targets_BxP, positions)
  logits_BxPxV = apply.head("vocabulary", hidden_BxTxD, positions)
  log_z_BxP = jax.nn.logsumexp(logits_BxPxV, axis=2)
  logit_BxP = jnp.take_along_axis(logits_BxPxV, targets_BxP[:, :, None], 2)
  return log_z_BxP - logit_BxP[:, :, 0] + z_loss * log_z_BxP**2
