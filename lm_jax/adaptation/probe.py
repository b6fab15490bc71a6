"""Trains only a head on the fixed model."""

from __future__ import annotations

import dataclasses

from lm_jax.adaptation import base


@dataclasses.dataclass(frozen=True)
class Probe(base.Adaptation):
  """Trains nothing of the stack (Alain and Bengio 2017).

  The heads of an objective learn from the unchanged states.
  """

  merges = True
