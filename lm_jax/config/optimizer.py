"""Options of the optimizer and the schedule, checked."""

from __future__ import annotations

import dataclasses
from typing import Literal

from lm_jax.support.errors import UsageError
from lm_jax.support.options import check_ranges, option

# Where a step stands in the schedule of learning rates.
START, END = "start", "end"


@dataclasses.dataclass(frozen=True)
class OptimizerOptions:
  """The fields are flags: --optimizer.learning_rate=1e-3.

  Raises:
    UsageError: a value is out of range or an unknown name.
  """

  name: Literal["adamw", "lamb", "adafactor", "lion", "muon"] = option(
    "adamw", "the method"
  )
  learning_rate: float = option(1e-3, "the peak learning rate", above=0)
  schedule: Literal["cosine", "linear", "wsd", "rsqrt", "constant"] = option(
    "cosine", "the learning rate's course after the warm-up"
  )
  warmup: float = option(
    0.05, "fraction of the budget for a linear warm-up", least=0, below=1
  )
  final: float = option(
    0.1,
    "last learning rate as a fraction of the peak (cosine, linear, wsd)",
    least=0,
    most=1,
  )
  decay: float = option(
    0.2, "last fraction of the budget, over which wsd decays", least=0, most=1
  )
  rate_at: Literal["", "start", "end"] = option(
    "",
    "where a step reads the schedule: at its start (as Transformers and optax:"
    " step k of n at k / n) or at its end ((k + 1) / n, so that the last step"
    " has the last rate); unless given, at its start in finetune and where"
    " --optimizer.final is 0, else at its end",
    absent=END,
  )
  weight_decay: float = option(
    0.1,
    "decoupled decay of kernels and embeddings, times the learning rate",
    least=0,
  )
  beta1: float = option(
    0.9, "decay of the first moment (not adafactor)", least=0, below=1
  )
  beta2: float = option(
    0.98, "decay of the second moment (adamw, lamb, lion)", least=0, below=1
  )
  epsilon: float = option(
    1e-8, "added to the denominator (adamw, lamb, muon)", above=0
  )
  momentum: float = option(0.95, "decay of muon's momentum", least=0, below=1)
  momentum_correction: bool = option(
    True,
    "muon: correct the bias of the first steps' momentum, as optax does; Jordan"
    " does not",
    absent=True,
  )
  parameter_scale: bool = option(
    False, "adafactor: steps relative to the size of the parameter (T5)"
  )
  clip: float = option(
    1.0, "largest global norm of the gradient; 0 is off", least=0
  )

  def __post_init__(self):
    check_ranges(self, "optimizer.")
    if self.schedule == "wsd" and not 0 < self.decay <= 1 - self.warmup:
      raise UsageError(
        f"--optimizer.decay={self.decay}: must be above 0 and at most"
        f" {1 - self.warmup:g}, which --optimizer.warmup leaves"
      )
    if self.schedule == "rsqrt" and not self.warmup:
      raise UsageError(
        f"--optimizer.warmup={self.warmup}: must be above 0 for"
        " --optimizer.schedule=rsqrt"
      )
