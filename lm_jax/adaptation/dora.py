"""Trains low-rank updates with separate direction and magnitude (DoRA)."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import jax.numpy as jnp
import numpy as np

from lm_jax.adaptation import _low_rank, base
from lm_jax.adaptation.base import Leaves
from lm_jax.types import Spec


@dataclasses.dataclass(frozen=True)
class DoRA(_low_rank.LowRank):
  """Replaces x W by m x (W + A B alpha / rank) / ||W + A B alpha / rank||.

  Liu et al. 2024, equation 5: the norm is that of each column, one per output,
  and m is trained like A and B. It starts as the identity: B is 0 and m the
  norms of W. The norm has no gradient (section 4.3).
  """

  magnitude = True

  def start(
    self,
    own: Leaves,
    held: Leaves,
    spec: Spec,
    rng: np.random.Generator,
    encode: Callable[[str], Sequence[int]],
  ) -> Leaves:
    return own | {
      f"{place}{base.OWN}.{_low_rank.SCALE}": jnp.linalg.norm(
        held[f"{place}kernel"], axis=-2
      )
      for place in _low_rank.places(own)
    }
