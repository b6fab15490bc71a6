"""Trains masked language models with sentence order (ALBERT)."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp

from lm_jax.objectives import _pairs, corrupt, mlm_nsp
from lm_jax.types import Array, Problem, Rows, Spec


@dataclasses.dataclass(frozen=True)
class MaskedLMSentenceOrder(mlm_nsp.MaskedLMNextSentence):
  """Adds to masked LM: are the two texts in their order? (ALBERT)

  Lan et al. 2020, section 3.1: L = L_MLM + L_SOP, a two-way head on the
  boundary token. A row of one document is cut before a random sentence and
  laid out as in mlm_nsp; half of the rows exchange A and B.
  Departures: sentences stay whole; ALBERT's code cuts the longer text at either
  end until both fit. Rows begin with a sentence that did not fit into the row
  before, so that first texts tend to be longer. Therefore rows are coupled with
  others of their size and cut where the lengths of one are those of the other
  in reverse order, within an eighth of a row. Other rows have no part in L_SOP,
  nor has a row of one sentence, to which the code adds a text of another
  document. `short` pairs leave the rest of their row unread. ALBERT masks
  n-grams; here `unit` chooses. With pairs="halves" (older runs) a row is cut at
  the sentence nearest to its middle.
  """

  def check(self, spec: Spec, batch_size: int, accumulate: int) -> None:
    self.check_pairs(spec, batch_size, accumulate)

  def make(self, rng: Array, rows: Rows, spec: Spec) -> Problem:
    pair_rng, mask_rng = jax.random.split(rng)
    batch = rows.tokens_BxL.shape[0]
    if self.pairs == "halves":
      cut = _pairs.halves(rows, spec)
      real_B = cut.two_B
    else:
      pair_rng, cut_rng = jax.random.split(pair_rng)
      cut, real_B = self._mirrored(cut_rng, rows, spec)
    swap_B = jax.random.bernoulli(pair_rng, 0.5, (batch,)) & real_B
    straight = _pairs.join(rows, cut.a, rows, cut.b, spec)
    crossed = _pairs.join(rows, cut.b, rows, cut.a, spec)
    joined, type_BxT = jax.tree.map(
      lambda x, y: jnp.where(swap_B[:, None], x, y), crossed, straight
    )
    return self.pair_problem(mask_rng, joined, type_BxT, swap_B, real_B, spec)

  def _mirrored(self, rng: Array, rows: Rows, spec: Spec):
    """Returns the rows cut in two, and which of them are pairs."""
    short_rng, cut_rng = jax.random.split(rng)
    batch, length = rows.tokens_BxL.shape
    text = _pairs.sentences(rows, spec, self.shares(short_rng, batch))
    keys_B, alone_B = corrupt.two_keys(jax.random.split(cut_rng, batch))
    place_Bx1, real_B = _pairs.mirrored(
      keys_B, text, _pairs.by_size(text), length // 8
    )
    alone_Bx1 = _pairs.anywhere(alone_B, text)
    place_Bx1 = jnp.where(real_B[:, None], place_Bx1, alone_Bx1)
    return _pairs.cut(text, rows, place_Bx1), real_B
