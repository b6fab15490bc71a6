"""Trains masked language models (BERT, RoBERTa, SpanBERT)."""

from __future__ import annotations

import dataclasses
from typing import ClassVar, Literal

import jax
import jax.numpy as jnp

from lm_jax import layout
from lm_jax.objectives import _likelihood, _scores, base, corrupt
from lm_jax.types import Array, Likelihood, Problem, Rows, Spec


@dataclasses.dataclass(frozen=True)
class MaskedLM(base.Objective):
  """Predicts hidden tokens from both sides (BERT, RoBERTa).

  Devlin et al. 2019, section 3.1: L = -1/|M| sum_(i in M) log p(x_i | x~),
  with |M| = round(0.15 n) tokens chosen uniformly without repeats, of which
  80 % read [MASK], 10 % a random token, 10 % themselves. Departures: n counts
  the tokens of the text; BERT's code also counts [CLS] and [SEP], and RoBERTa's
  rounds up or down at random; random tokens are never special ones.
  Dynamic masking is RoBERTa's (Liu et al. 2019, section 4.1); static masks a
  row in the same way each time (BERT made ten copies; here there is one).
  Whole words: random words up to |M| tokens; the first that does not fit ends
  the choice; BERT continues with words that fit.
  Span masking: SpanBERT's lengths, Geometric(0.2) up to 10 (Joshi et al. 2020,
  section 3.1), in tokens; SpanBERT counts words. The row is tiled by such spans
  and spans are drawn; SpanBERT draws a length and a start. 80/10/10 is drawn
  per token; SpanBERT draws it per span.
  """

  architectures = frozenset({"encoder"})
  natural = "encoder"
  scoring = "pseudo_log_likelihood"
  needs: ClassVar[tuple[str, ...]] = ("mask",)
  fills = True

  rate: float = base.option(
    0.15, "fraction of the tokens to predict", above=0, below=1
  )
  unit: Literal["token", "word", "span"] = base.option(
    "token", "unit to mask as a whole"
  )
  dynamic: bool = base.option(
    True, "mask a row differently each time it is read"
  )
  masked: float = base.option(
    0.8, "fraction of the chosen tokens that become [MASK]"
  )
  replaced: float = base.option(
    0.1, "fraction of the chosen tokens that become random tokens"
  )
  pseudo_likelihood: Literal["within_word", "original"] = base.option(
    "within_word", _scores.PSEUDO_LIKELIHOOD
  )

  def check(self, spec: Spec, batch_size: int, accumulate: int) -> None:
    super().check(spec, batch_size, accumulate)
    if min(self.masked, self.replaced) < 0 or self.masked + self.replaced > 1:
      raise base.UsageError(
        f"--objective.masked={self.masked} and --objective.replaced="
        f"{self.replaced}: must be at least 0 and add up to at most 1"
      )

  def make(self, rng: Array, rows: Rows, spec: Spec) -> Problem:
    keys_B = corrupt.row_keys(rng, rows.tokens_BxL, self.dynamic)
    chosen_BxL = choose(keys_B, rows, spec, self.rate, self.unit)
    slots = corrupt.slots(self.rate, rows.tokens_BxL.shape[1])
    position_BxP, there_BxP = layout.compact(chosen_BxL, slots)
    tokens_BxL = corrupt.mask_out(
      keys_B, rows.tokens_BxL, chosen_BxL, spec, self.masked, self.replaced
    )
    masked = dataclasses.replace(rows, tokens_BxL=tokens_BxL)
    inputs = layout.in_place(masked, spec)
    return base.predicting(inputs, rows.tokens_BxL, position_BxP, there_BxP)

  def score(self, apply, rows: Rows, spec: Spec) -> Array:
    within_word = self.pseudo_likelihood == "within_word"
    return masked_score(apply, rows, spec, within_word)

  @classmethod
  def likelihood(cls) -> Likelihood:
    return _likelihood.ANY_ORDER

  def log_likelihood(self, apply, rows: Rows, spec: Spec, draw: Array) -> Array:
    return _likelihood.any_order(apply, rows, spec, draw)

  def fill(self, apply, rows: Rows, spec: Spec, positions_BxP: Array) -> Array:
    hidden_BxLxD = apply.hidden(layout.in_place(rows, spec))
    return apply.head("vocabulary", hidden_BxLxD, positions_BxP)


def choose(
  keys_B: Array, rows: Rows, spec: Spec, rate: float, unit: str
) -> Array:
  """Chooses the tokens to predict, bool [B, L]; never special tokens."""
  length = rows.tokens_BxL.shape[1]
  eligible_BxL = base.eligible(rows, spec)
  count_B = corrupt.share(rate, eligible_BxL)
  keys_B = jax.vmap(lambda key: jax.random.fold_in(key, 2))(keys_B)
  if unit == "token":
    return corrupt.choose(keys_B, eligible_BxL, count_B)
  if unit == "word":
    return corrupt.choose_units(keys_B, rows.word_BxL, eligible_BxL, count_B)
  tile_B = jax.vmap(lambda key: jax.random.fold_in(key, 3))(keys_B)
  tile_BxL = corrupt.geometric_tiles(tile_B, length, 0.2, 10)
  return corrupt.choose_units(
    keys_B, tile_BxL, eligible_BxL, count_B, whole=False
  )


def masked_score(
  apply, rows: Rows, spec: Spec, within_word: bool, back: int = 0
) -> Array:
  """Computes log p(x_i | x without i), a pseudo-likelihood: float32 [B, L].

  Salazar et al. 2020, equation 1. With `within_word` the tokens of the same
  word to the right of i are hidden too, so that the pieces of a word do not
  give one another away (Kauf and Ivanova 2023, PLL-word-l2r).

  Args:
    apply, rows, spec: the network, and one text per row.
    within_word: the variant.
    back: token i is predicted at position i - back (1: masked next token). A
      text's first token then scores 0: nothing predicts it.
  """

  def score_one(i):
    hidden_BxL = _scores.hidden_at(i, rows, within_word)
    tokens_BxL = jnp.where(hidden_BxL, spec.specials.mask, rows.tokens_BxL)
    inputs = layout.stream(tokens_BxL, rows.segment_BxL, "full")
    state_BxLxD = apply.hidden(inputs)
    position = jnp.maximum(i - back, 0)
    position_Bx1 = jnp.full_like(rows.tokens_BxL[:, :1], position)
    target_Bx1 = rows.tokens_BxL[:, i][:, None]
    return -apply.nll(state_BxLxD, target_Bx1, position_Bx1)[:, 0]

  score_BxL = _scores.one_at_a_time(score_one, rows, spec)
  if not back:
    return score_BxL
  return jnp.where(layout.starts(rows.segment_BxL), 0.0, score_BxL)
