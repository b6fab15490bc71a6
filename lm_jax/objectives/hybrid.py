"""Causal and masked language modelling in one batch (GPT-BERT)."""

from __future__ import annotations

import dataclasses
from typing import ClassVar, Literal

import jax.numpy as jnp
import numpy as np

from lm_jax import layout
from lm_jax.objectives import base, mlm
from lm_jax.types import (
  Architecture,
  Array,
  Problem,
  Rows,
  Spec,
  Term,
  UsageError,
)


@dataclasses.dataclass(frozen=True)
class Hybrid(base.Objective):
  """Some rows causal, the others masked, through one stack (GPT-BERT).

  Charpentier and Samuel 2024, section 3: masked tokens are predicted at the
  position before them (masked next-token prediction), so that both kinds of
  row have one output; L = causal * L_CLM + (1 - causal) * L_masked, each the
  mean over its own targets. With masked="mlm" tokens are predicted in place.
  Departures: the kind is chosen by row within each batch, where the paper
  gives each GPU one; the mask rate is constant.
  """

  architectures: ClassVar[frozenset[str]] = frozenset({"prefix_decoder"})
  natural: ClassVar[Architecture] = "prefix_decoder"
  scoring: ClassVar[str] = "pseudo_log_likelihood"
  continues: ClassVar[bool] = True
  fills: ClassVar[bool] = True
  needs: ClassVar[tuple[str, ...]] = ("mask",)

  causal: float = base.option(0.5, "fraction of causal rows in a batch")
  rate: float = base.option(0.15, "fraction of the tokens that is masked")
  masked: Literal["mntp", "mlm"] = base.option(
    "mntp", "where a masked token is predicted: before it, or in place"
  )
  pseudo_likelihood: Literal["within_word", "original"] = base.option(
    "within_word",
    "within_word also hides the rest of the word to the right",
  )

  def check(self, spec: Spec, batch_size: int, accumulate: int) -> None:
    super().check(spec, batch_size, accumulate)
    base.unit_interval("rate", self.rate)
    base.unit_interval("causal", self.causal)
    micro = batch_size // accumulate
    rows = self.causal * micro
    if abs(rows - round(rows)) > 1e-6 or not 0 < round(rows) < micro:
      raise UsageError(
        f"--objective.causal={self.causal}: must give whole rows of both "
        f"kinds in each pass of {micro} rows (--batch_size / --accumulate)"
      )

  def make(self, rng: Array, rows: Rows, spec: Spec) -> Problem:
    causal_B = self._is_causal(rows.tokens_BxL.shape[0])
    masking = mlm.MaskedLM(rate=self.rate)
    masked = masking.make(rng, rows, spec)
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

  def loss(self, apply, problem: Problem, rng: Array) -> dict[str, Term]:
    hidden_BxLxD = apply.hidden(problem.inputs)
    causal_B = self._is_causal(hidden_BxLxD.shape[0])
    causal = apply.nll(
      hidden_BxLxD[np.flatnonzero(causal_B)], problem.targets_BxP
    )
    masked = apply.nll(
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

  def prompt(self, rows: Rows, spec: Spec) -> Problem:
    return Problem(layout.in_place(rows, spec), None, rows.tokens_BxL, {})

  def fill(self, apply, rows: Rows, spec: Spec, positions_BxP: Array) -> Array:
    inputs = layout.stream(rows.tokens_BxL, rows.segment_BxL, "full")
    hidden_BxLxD = apply.hidden(inputs)
    if self.masked == "mntp":
      positions_BxP = jnp.maximum(positions_BxP - 1, 0)
    return apply.head("vocabulary", hidden_BxLxD, positions_BxP)

  def _is_causal(self, batch: int) -> np.ndarray:
    """Spreads the causal rows evenly, alike in each pass: bool [B]."""
    edge = np.floor(np.arange(batch + 1) * self.causal + 1e-6)
    return edge[1:] > edge[:-1]
