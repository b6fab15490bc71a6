"""The model is held fixed, and a head of its own is trained on it."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from lm_jax.adaptation import base
from lm_jax.adaptation.base import Leaves


@dataclasses.dataclass(frozen=True)
class Probe(base.Adaptation):
  """Nothing of the stack is trained (Alain and Bengio 2017).

  What the heads of an objective learn, they learn from the states as they are.
  """

  merges: ClassVar[bool] = True

  def merged(self, leaves: Leaves) -> Leaves:
    return leaves
