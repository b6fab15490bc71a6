"""Masked language modelling with sentence order (ALBERT)."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp

from lm_jax.objectives import mlm, mlm_nsp
from lm_jax.types import Array, Problem, Rows, Spec


@dataclasses.dataclass(frozen=True)
class MaskedLMSentenceOrder(mlm_nsp.MaskedLMNextSentence):
  """Masked LM, and: are the two halves in their order? (ALBERT)

  Lan et al. 2020, section 3.1: L = L_MLM + L_SOP, a two-way head on the
  boundary token. The layout is that of mlm_nsp; for half of the rows A and B
  change places. Departure: ALBERT masks n-grams; here `unit` chooses.
  """

  def check(self, spec: Spec, batch_size: int, accumulate: int) -> None:
    mlm.MaskedLM.check(self, spec, batch_size, accumulate)

  def make(self, rng: Array, rows: Rows, spec: Spec) -> Problem:
    pair_rng, mask_rng = jax.random.split(rng)
    swap_B = jax.random.bernoulli(pair_rng, 0.5, rows.tokens_BxL.shape[:1])
    cut = mlm_nsp.halves(rows, spec)
    swap_B = swap_B & cut.two_B
    straight = mlm_nsp.join(rows, cut.a, rows, cut.b, spec)
    crossed = mlm_nsp.join(rows, cut.b, rows, cut.a, spec)
    joined, type_BxT = jax.tree.map(
      lambda x, y: jnp.where(swap_B[:, None], x, y), crossed, straight
    )
    return self.pair_problem(
      mask_rng, joined, type_BxT, swap_B, cut.two_B, spec
    )
