"""Options of the optimizer and the schedule, checked."""

from __future__ import annotations

import dataclasses
import math
import typing
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

from lm_jax.support.errors import UsageError

if TYPE_CHECKING:
  pass


# Where a step stands in the schedule of learning rates.
START, END = "start", "end"


def _option(default: Any, line: str, **metadata: Any) -> Any:
  return dataclasses.field(default=default, metadata={"help": line, **metadata})


@dataclasses.dataclass(frozen=True)
class OptimizerOptions:
  """The fields are flags: --optimizer.learning_rate=1e-3.

  Raises:
    UsageError: a value is out of range or an unknown name.
  """

  name: Literal["adamw", "lamb", "adafactor", "lion", "muon"] = _option(
    "adamw", "The method."
  )
  learning_rate: float = _option(1e-3, "The peak learning rate.")
  schedule: Literal["cosine", "linear", "wsd", "rsqrt", "constant"] = _option(
    "cosine", "The learning rate's course after the warm-up."
  )
  warmup: float = _option(0.05, "Fraction of the budget for a linear warm-up.")
  final: float = _option(
    0.1, "Last learning rate as a fraction of the peak (cosine, linear, wsd)."
  )
  decay: float = _option(
    0.2, "Last fraction of the budget, over which wsd decays."
  )
  rate_at: Literal["", "start", "end"] = _option(
    "",
    "where a step reads the schedule: at its start (as Transformers and optax:"
    " step k of n at k / n) or at its end ((k + 1) / n, so that the last step"
    " has the last rate); unless given, at its start in finetune and where"
    " --optimizer.final is 0, else at its end",
    absent=END,
  )
  weight_decay: float = _option(
    0.1, "Decoupled decay of kernels and embeddings, times the learning rate."
  )
  beta1: float = _option(0.9, "Decay of the first moment (not adafactor).")
  beta2: float = _option(
    0.98, "Decay of the second moment (adamw, lamb, lion)."
  )
  epsilon: float = _option(
    1e-8, "Added to the denominator (adamw, lamb, muon)."
  )
  momentum: float = _option(0.95, "Decay of muon's momentum.")
  momentum_correction: bool = _option(
    True,
    "Muon: correct the bias of the first steps' momentum, as optax does; Jordan"
    " does not.",
    absent=True,
  )
  parameter_scale: bool = _option(
    False, "adafactor: steps relative to the size of the parameter (T5)."
  )
  clip: float = _option(1.0, "Largest global norm of the gradient; 0 is off.")

  def __post_init__(self):
    hints = typing.get_type_hints(type(self))
    for name in ("name", "schedule", "rate_at"):
      names = typing.get_args(hints[name])
      shown = ", ".join(filter(None, names))
      self._check(f"one of {shown}", names.__contains__, name)
    self._check("above 0", lambda x: x > 0, "learning_rate", "epsilon")
    self._check("0 or more", lambda x: x >= 0, "weight_decay", "clip")
    self._check(
      "at least 0 and below 1",
      lambda x: 0 <= x < 1,
      *("warmup", "beta1", "beta2", "momentum"),
    )
    self._check("from 0 to 1", lambda x: 0 <= x <= 1, "final", "decay")
    if self.schedule == "wsd":
      rest = 1 - self.warmup
      line = f"above 0 and at most {rest:g}, which --optimizer.warmup leaves"
      self._check(line, lambda x: 0 < x <= rest, "decay")
    if self.schedule == "rsqrt":
      line = "above 0 for --optimizer.schedule=rsqrt"
      self._check(line, lambda x: x > 0, "warmup")

  def _check(
    self, expected: str, valid: Callable[[Any], bool], *names: str
  ) -> None:
    for name in names:
      value = getattr(self, name)
      if not valid(value) or value == math.inf:
        raise UsageError(f"--optimizer.{name}={value}: must be {expected}")
