"""Bounds the likelihood of texts by models that predict masked tokens."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from lm_jax import layout
from lm_jax.objectives import corrupt
from lm_jax.objectives.base import eligible
from lm_jax.types import Apply, Array, Likelihood, Rows, Spec

# Masks of each row: as few as give a standard error.
_DRAWS = 2
ANY_ORDER = Likelihood(
  "bound", f"k-uniform Monte Carlo, {_DRAWS} masks a row", _DRAWS
)


def any_order(apply: Apply, rows: Rows, spec: Spec, draw: Array) -> Array:
  """Draws terms of a lower bound of the log-likelihood: float32 [B, L].

  Conditionals p(x_i | some of the text) define, by the chain rule, a
  distribution for each order s of the n tokens, and by all orders together
  their uniform mixture. By Jensen's inequality

    -log E_s p_s(x) <= E_s[-log p_s(x)]
      = E_k E_M n/k sum_(i in M) -log p(x_i | x without M),

  k uniform on 1..n, M uniform among the sets of k tokens, which read [MASK]
  (Uria et al. 2014, section 4, the order-agnostic NADE; Hoogeboom et al. 2022,
  equation 5; Nie et al. 2025, LLaDA, equation 6). Each segment has k and M of
  its own. The number of tokens of a segment, and whether its document ends
  there, are seen.

  Args:
    apply, rows, spec: the network and the rows.
    draw: number of the mask.
  """
  keys_B = corrupt.row_keys(
    jax.random.key(0), jnp.asarray(rows.tokens_BxL), dynamic=False
  )
  keys_B = jax.vmap(jax.random.fold_in, in_axes=(0, None))(keys_B, draw)
  size_keys, set_keys = corrupt.two_keys(keys_B)
  eligible_BxL = eligible(rows, spec)
  rank_BxL, size_BxL = _shuffled(set_keys, eligible_BxL, rows.segment_BxL)
  length = rows.tokens_BxL.shape[1]
  noise_BxS = corrupt.uniform(size_keys, length + 1)
  share_BxL = layout.take(noise_BxS, rows.segment_BxL)
  count_BxL = 1 + jnp.floor(share_BxL * size_BxL).astype(jnp.int32)
  count_BxL = jnp.minimum(count_BxL, size_BxL)
  hidden_BxL = eligible_BxL & (rank_BxL < count_BxL)
  tokens_BxL = jnp.where(hidden_BxL, spec.specials.mask, rows.tokens_BxL)
  state_BxLxD = apply.hidden(
    layout.stream(tokens_BxL, rows.segment_BxL, "full")
  )
  nll_BxL = apply.nll(state_BxLxD, jnp.asarray(rows.tokens_BxL))
  weight_BxL = size_BxL / jnp.maximum(count_BxL, 1)
  return jnp.where(hidden_BxL, -weight_BxL * nll_BxL, 0.0)


def _shuffled(
  keys_B: Array, eligible_BxL: Array, segment_BxL: Array
) -> tuple[Array, Array]:
  """Puts the eligible tokens of each segment in a random order.

  Returns:
    The rank of each token among those of its segment, from 0, and their
    number, int32 [B, L] both; ranks mean nothing on other tokens.
  """
  batch, length = segment_BxL.shape
  index = jnp.arange(batch)[:, None]
  count_BxS = jnp.zeros((batch, length + 1), jnp.int32)
  count_BxS = count_BxS.at[index, segment_BxL].add(
    eligible_BxL.astype(jnp.int32)
  )
  # Those that are not eligible come last, the others by segment.
  group_BxL = jnp.where(eligible_BxL, segment_BxL, length + 1)
  noise_BxL = corrupt.uniform(keys_B, length)
  order_BxL = jax.vmap(lambda noise, group: jnp.lexsort((noise, group)))(
    noise_BxL, group_BxL
  )
  rank_BxL = jnp.argsort(order_BxL, axis=1)
  first_BxS = jnp.cumsum(count_BxS, axis=1) - count_BxS
  return (
    (rank_BxL - layout.take(first_BxS, segment_BxL)).astype(jnp.int32),
    layout.take(count_BxS, segment_BxL),
  )
