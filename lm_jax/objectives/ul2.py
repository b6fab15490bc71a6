"""Trains the mixture of denoisers (UL2)."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp

from lm_jax import layout
from lm_jax.objectives import _scores, base, corrupt, span_corruption
from lm_jax.objectives.prefix_lm import segment_sizes
from lm_jax.types import Array, Likelihood, Problem, Rows, Spec

# Mean span and noise density of the seven denoisers (Tay et al. 2023,
# table 1); a span of 0 means "all to the end of the text".
R, S, X = "regular", "sequential", "extreme"
DENOISERS = (
  (R, 3.0, 0.15),
  (R, 8.0, 0.15),
  (X, 3.0, 0.5),
  (X, 8.0, 0.5),
  (X, 64.0, 0.15),
  (X, 64.0, 0.5),
  (S, 0.0, 0.25),
)


@dataclasses.dataclass(frozen=True)
class MixtureOfDenoisers(base.Objective):
  """Mixes three kinds of span corruption, each with a mode token (UL2).

  Tay et al. 2023, section 3.1: each row draws one of seven denoisers: R
  (spans of 3 or 8, 15 %), X (long spans or 50 %), S (the text's end after its
  beginning, 25 %). [R], [S] or [X] replaces the boundary token at the start of
  the context. L = mean cross-entropy of the answer, laid out as in
  span_corruption (R, X) or as plain text (S). Departures: those of
  span_corruption; a row has one denoiser for all its documents; denoisers are
  drawn with equal probability, except `sequential`; S predicts the
  fraction u^3 of each document, u uniform, of mean 25 % and up to the whole
  text, so that the likelihood of a whole text is in distribution.
  """

  architectures = base.DECODERS
  natural = "prefix_decoder"
  scoring = "log_likelihood"
  continues = True
  needs = (R, S, X, "sentinels", "end")

  sequential: float = base.option(
    1 / 7, "fraction of the rows in S mode", least=0, most=1
  )

  def check(self, spec: Spec, batch_size: int, accumulate: int) -> None:
    super().check(spec, batch_size, accumulate)
    span_corruption.check_sentinels(_most_spans(spec.length), spec)

  def make(self, rng: Array, rows: Rows, spec: Spec) -> Problem:
    length = rows.tokens_BxL.shape[1]
    keys_B = corrupt.row_keys(rng, rows.tokens_BxL)
    kind_keys, keys_B = corrupt.two_keys(keys_B)
    span_keys, cut_keys = corrupt.two_keys(keys_B)
    kind_B = jax.vmap(lambda key: jax.random.categorical(key, self._logits()))(
      kind_keys
    )
    sequential_Bx1 = (kind_B == len(DENOISERS) - 1)[:, None]
    most = _most_spans(length)
    spans_BxL = span_corruption.span_noise(
      span_keys,
      base.eligible(rows, spec),
      jnp.array([rate for _, _, rate in DENOISERS])[kind_B],
      jnp.array([span or 1.0 for _, span, _ in DENOISERS])[kind_B],
      most,
    )
    noise_BxL = jnp.where(sequential_Bx1, suffixes(cut_keys, rows), spans_BxL)
    first_BxL, sentinel_BxL = span_corruption.number_spans(
      noise_BxL, rows.segment_BxL, spec
    )
    first_BxL = first_BxL & ~sequential_Bx1
    modes = [getattr(spec.specials, kind) for kind, _, _ in DENOISERS]
    mode_B = jnp.array(modes)[kind_B]
    opened_BxL = jnp.where(
      base.opening(rows, spec), mode_B[:, None], rows.tokens_BxL
    )
    context = corrupt.compact_tokens(
      jnp.where(first_BxL, sentinel_BxL, opened_BxL),
      rows.segment_BxL,
      (rows.segment_BxL > 0) & (~noise_BxL | first_BxL),
      length,
    )
    answer = span_corruption.answer_part(
      rows, noise_BxL, first_BxL, sentinel_BxL, spec, length
    )
    # Each span costs a sentinel on both sides, and each document an [EOS]; a
    # span that crosses a document's end counts as two. Three documents always
    # fit.
    joint = length + 2 * most + 4 + length // 32
    return layout.pair(context, answer, spec, length=joint)

  def score(self, apply, rows: Rows, spec: Spec) -> Array:
    """Computes exact log-likelihood in S mode after an empty text: [B, L]."""
    sequential = spec.specials.sequential
    return _scores.whole_text_score(apply, rows, spec, sequential)

  @classmethod
  def likelihood(cls) -> Likelihood:
    return Likelihood("exact", "left-to-right chain rule in S mode")

  def prompt(self, rows: Rows, spec: Spec) -> Problem:
    """Lays out a text to be continued, in S mode."""
    return base.answering(rows, spec, before=spec.specials.sequential)

  def _logits(self) -> Array:
    others = len(DENOISERS) - 1
    share = [(1 - self.sequential) / others] * others + [self.sequential]
    return jnp.log(jnp.array(share))


def _most_spans(length: int) -> int:
  return max(
    span_corruption.most_noise(length, rate, span)[1]
    for _, span, rate in DENOISERS
    if span
  )


def suffixes(keys_B: Array, rows: Rows) -> Array:
  """Masks the last fraction u^3 of each segment, at least a token: [B, L]."""
  length = rows.tokens_BxL.shape[1]
  noise_BxL = layout.take(corrupt.uniform(keys_B, length + 1), rows.segment_BxL)
  text_BxL = segment_sizes(rows) - 1
  answer_BxL = jnp.ceil(noise_BxL**3 * text_BxL).astype(jnp.int32)
  position_BxL = layout.positions(rows.segment_BxL)
  cut_BxL = text_BxL - jnp.clip(answer_BxL, 1, jnp.maximum(text_BxL, 1))
  return (position_BxL > cut_BxL) & (rows.segment_BxL > 0)
