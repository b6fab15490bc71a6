"""Trains by replaced-token detection (ELECTRA)."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp

from lm_jax import layout
from lm_jax.objectives import base, corrupt, mlm
from lm_jax.types import Array, Head, Problem, Rows, Spec, Term, Trunk

# Share of the chosen tokens that read [MASK].
_MASKED = 0.85


@dataclasses.dataclass(frozen=True)
class ReplacedTokenDetection(base.Objective):
  """Finds the tokens that a small generator has replaced (ELECTRA).

  Clark et al. 2020, section 2: L = L_MLM(generator) + 50 * L_disc, where
  L_disc is the mean binary cross-entropy over all real tokens of "was x_t
  replaced?", x_t drawn from the generator's softmax at the masked positions;
  a draw that equals the original counts as original. No gradient flows
  through the draw. Token, position and type embeddings are shared; 85 % of
  the chosen tokens read [MASK] and 15 % themselves, as in the released code.
  The generator is the trunk at `generator` of its width, heads and
  feed-forward width.
  Departures: round(rate * n) of the n tokens of the text are chosen, none
  twice. With `repeats`, as in the released code, n also counts special tokens,
  and positions are drawn from the text with repeats: each draw is masked with
  probability 85 % and counts in the generator's loss. If draws of one position
  sample different tokens, the first one is used; that code uses the mean of
  their ids.
  """

  architectures = frozenset({"encoder"})
  natural = "encoder"
  scoring = "energy"
  needs = ("mask",)
  fills = True

  rate: float = base.option(
    0.15, "fraction of the tokens to mask", above=0, below=1
  )
  weight: float = base.option(50.0, "weight of the discriminator's loss")
  generator: float = base.option(
    0.25,
    "width of the generator as a fraction of the discriminator's",
    above=0,
    most=1,
  )

  repeats: bool = base.option(
    False,
    "draw the masked positions with repeats, like ELECTRA's code",
    absent=False,
  )

  def stacks(self, trunk: Trunk) -> dict[str, Trunk]:
    return {"main": trunk, "generator": shrink(trunk, self.generator)}

  def heads(self, spec: Spec) -> dict[str, Head]:
    return {"replaced": Head(1, transform="trunk")}

  def make(self, rng: Array, rows: Rows, spec: Spec) -> Problem:
    mask_rng, sample_rng = jax.random.split(rng)
    if self.repeats:
      problem = self._repeated(mask_rng, rows, spec)
    else:
      masking = mlm.MaskedLM(rate=self.rate, masked=_MASKED, replaced=0.0)
      problem = masking.make(mask_rng, rows, spec)
    # One key a row, so that a row's sample is the same in any microbatch.
    keys_B = jax.random.split(sample_rng, rows.tokens_BxL.shape[0])
    return dataclasses.replace(
      problem,
      weights={
        **problem.weights,
        "replaced": (rows.segment_BxL > 0).astype(jnp.float32),
      },
      extra={
        "original_BxL": rows.tokens_BxL,
        "keys_Bx2": jax.random.key_data(keys_B),
      },
    )

  def _repeated(self, rng: Array, rows: Rows, spec: Spec) -> Problem:
    """Makes masked LM's problem; some of its positions may occur twice."""
    length = rows.tokens_BxL.shape[1]
    place_keys, mask_keys = corrupt.two_keys(
      corrupt.row_keys(rng, rows.tokens_BxL)
    )
    eligible_BxL = base.eligible(rows, spec)
    text_BxL, _ = layout.compact(eligible_BxL, length)
    size_Bx1 = jnp.sum(eligible_BxL, axis=1, keepdims=True)
    real_B = jnp.sum(rows.segment_BxL > 0, axis=1)
    count_B = jnp.maximum(jnp.round(self.rate * real_B).astype(jnp.int32), 1)
    slots = corrupt.slots(self.rate, length)
    drawn_BxP = corrupt.uniform(place_keys, slots) * size_Bx1
    drawn_BxP = jnp.minimum(drawn_BxP.astype(jnp.int32), size_Bx1 - 1)
    at_BxP = layout.take(text_BxL, jnp.maximum(drawn_BxP, 0))
    there_BxP = (jnp.arange(slots)[None] < count_B[:, None]) & (size_Bx1 > 0)
    masked_BxP = corrupt.uniform(mask_keys, slots) < _MASKED
    mask_BxP = jnp.full_like(at_BxP, spec.specials.mask)
    tokens_BxL = set_tokens(
      rows.tokens_BxL, at_BxP, mask_BxP, there_BxP & masked_BxP
    )
    masked = dataclasses.replace(rows, tokens_BxL=tokens_BxL)
    inputs = layout.in_place(masked, spec)
    return base.predicting(inputs, rows.tokens_BxL, at_BxP, there_BxP)

  def loss(self, apply, problem: Problem, rng: Array) -> dict[str, Term]:
    state_BxLxE = apply.hidden(problem.inputs, stack="generator")
    logits_BxPxV = apply.head(
      "vocabulary", state_BxLxE, problem.positions_BxP, stack="generator"
    )
    logp_BxPxV = jax.nn.log_softmax(logits_BxPxV)
    nll_BxP = -jnp.take_along_axis(
      logp_BxPxV, problem.targets_BxP[:, :, None], axis=2
    )[:, :, 0]
    sample_BxP = draw(problem.extra["keys_Bx2"], logp_BxPxV)
    original_BxL = problem.extra["original_BxL"]
    chosen_BxP = problem.weights["nll"] > 0
    if self.repeats:
      chosen_BxP &= first_of(problem.positions_BxP)
    corrupt_BxL = set_tokens(
      original_BxL, problem.positions_BxP, sample_BxP, chosen_BxP
    )
    inputs = dataclasses.replace(problem.inputs, tokens_BxT=corrupt_BxL)
    logit_BxL = apply.head("replaced", apply.hidden(inputs))[:, :, 0]
    replaced_BxL = (corrupt_BxL != original_BxL).astype(jnp.float32)
    # -log sigmoid(z) where replaced, -log sigmoid(-z) where not.
    cross_BxL = jax.nn.softplus(logit_BxL) - replaced_BxL * logit_BxL
    right_BxL = ((logit_BxL > 0) == (replaced_BxL > 0)).astype(jnp.float32)
    return {
      "nll": Term(nll_BxP),
      "replaced": Term(
        cross_BxL,
        self.weight,
        {"replaced_rate": replaced_BxL, "replaced_accuracy": right_BxL},
      ),
    }

  def score(self, apply, rows: Rows, spec: Spec) -> Array:
    """Computes log P(token is original); its sum is the negative energy."""
    hidden_BxLxD = apply.hidden(layout.in_place(rows, spec))
    logit_BxL = apply.head("replaced", hidden_BxLxD)[:, :, 0]
    return jnp.where(
      base.eligible(rows, spec), -jax.nn.softplus(logit_BxL), 0.0
    )

  def fill(self, apply, rows: Rows, spec: Spec, positions_BxP: Array) -> Array:
    """Fills with the generator."""
    inputs = layout.in_place(rows, spec)
    state_BxLxE = apply.hidden(inputs, stack="generator")
    return apply.head(
      "vocabulary", state_BxLxE, positions_BxP, stack="generator"
    )


def shrink(trunk: Trunk, fraction: float) -> Trunk:
  """Makes the generator: narrower by `fraction`, with the same embeddings."""
  width = max(8, 8 * round(trunk.width * fraction / 8))
  heads = max(1, round(trunk.heads * fraction))
  while width % heads:
    heads -= 1
  return dataclasses.replace(
    trunk,
    width=width,
    heads=heads,
    kv_heads=0,
    head_width=0,
    feedforward=max(8, round(trunk.feedforward * fraction)),
    embedding_width=trunk.embedding_width or trunk.width,
    embeddings="main",
  )


def first_of(values_BxP: Array) -> Array:
  """Returns which values are the first of their kind in a row: bool [B, P]."""
  same_BxPxP = values_BxP[:, :, None] == values_BxP[:, None, :]
  before_PxP = jnp.tri(values_BxP.shape[1], k=-1, dtype=bool)
  return ~jnp.any(same_BxPxP & before_PxP[None], axis=2)


def draw(keys_Bx2: Array, logp_BxPxV: Array) -> Array:
  """Samples tokens, one key a row: int32 [B, P], no gradient."""
  logp_BxPxV = jax.lax.stop_gradient(logp_BxPxV)
  return jax.vmap(
    lambda key, logp: jax.random.categorical(
      jax.random.wrap_key_data(key), logp
    )
  )(keys_Bx2, logp_BxPxV).astype(jnp.int32)


def set_tokens(
  tokens_BxL: Array, position_BxP: Array, value_BxP: Array, where_BxP: Array
) -> Array:
  """Sets tokens to values[b, p] at positions[b, p], where `where` holds."""
  batch = jnp.arange(tokens_BxL.shape[0])[:, None]
  position_BxP = jnp.where(where_BxP, position_BxP, tokens_BxL.shape[1])
  return tokens_BxL.at[batch, position_BxP].set(value_BxP, mode="drop")
