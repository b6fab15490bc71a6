"""Attention between tokens, said by two integers per token.

Token i attends to token j iff they share a segment and
key_rank[j] <= query_rank[i]. Every attention pattern of this project is a
choice of ranks, so no layer knows what is being trained.

>>> import numpy as np
>>> segment = np.array([[1, 1, 1, 2, 2]])
>>> rank = causal(segment)
>>> visible(segment, rank, segment, rank)[0].astype(int)
array([[1, 0, 0, 0, 0],
       [1, 1, 0, 0, 0],
       [1, 1, 1, 0, 0],
       [0, 0, 0, 1, 0],
       [0, 0, 0, 1, 1]])
>>> rank = prefix(np.array([[0, 1, 2, 0, 1]]), np.array([[2, 2, 2, 1, 1]]))
>>> np.asarray(visible(segment, rank, segment, rank)[0]).astype(int)
array([[1, 1, 0, 0, 0],
       [1, 1, 0, 0, 0],
       [1, 1, 1, 0, 0],
       [0, 0, 0, 1, 0],
       [0, 0, 0, 1, 1]])
"""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np

from lm_jax.types import Array


def visible(
  query_segment_BxT: Array,
  query_rank_BxT: Array,
  key_segment_BxS: Array,
  key_rank_BxS: Array,
) -> Array:
  """Marks that token i may attend to token j: bool [B, T, S], i along T."""
  same = query_segment_BxT[:, :, None] == key_segment_BxS[:, None, :]
  return same & (key_rank_BxS[:, None, :] <= query_rank_BxT[:, :, None])


def bidirectional(segment_BxT: Array) -> Array:
  """Ranks with which every token sees its whole segment: int32 [B, T]."""
  return 0 * segment_BxT


def causal(segment_BxT: Array) -> Array:
  """Ranks with which a token sees itself and what comes before it."""
  index = np.arange(segment_BxT.shape[1], dtype=np.int32)
  return index[None] + 0 * segment_BxT


def prefix(position_BxT: Array, prefix_BxT: Array) -> Array:
  """Ranks with which the first tokens of a segment see one another.

  Args:
    position_BxT: int32, position of each token in its segment.
    prefix_BxT: int32, length of the prefix of the token's segment; with 0
      or 1 the pattern is causal.
  """
  return jnp.maximum(0, position_BxT - prefix_BxT + 1)
