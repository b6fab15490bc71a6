"""Trains low-rank updates of chosen projections (LoRA)."""

from __future__ import annotations

import dataclasses

from lm_jax.adaptation import _low_rank


@dataclasses.dataclass(frozen=True)
class LoRA(_low_rank.LowRank):
  """Replaces x W by x W + (x A) B alpha / rank; A and B are trained.

  Hu et al. 2022, section 4.1. It starts as the identity: B is 0. The update is
  computed on the states, so that there is no gradient of the size of W.
  """
