"""One trial of an arm: a run with the values of one point."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

from lm_jax.config import Config
from lm_jax.runs.attempt import is_complete, status_of
from lm_jax.runs.result import path as result_path
from lm_jax.runs.yardstick import VALIDATION_LOSS
from lm_jax.storage import result_file
from lm_jax.support.status import DONE, FAILED, PAUSED


@dataclasses.dataclass(frozen=True)
class Trial:
  """A run of an arm with the values of one point.

  point: shares of the ranges, 0 to 1, of the arm's own dimensions.
  values: as they are written after their flags, by path.
  """

  study: int
  number: int
  point: tuple[float, ...]
  values: Mapping[str, str]
  config: Config

  def score(self, measure: str, paused: bool = False) -> float:
    """Returns what it reached, the higher the better; -inf of no result.

    Args:
      measure: by which it is judged.
      paused: whether what it reached before its end counts.
    """
    if status_of(self.config) not in (DONE, *((PAUSED,) if paused else ())):
      return -math.inf
    value = self._result()["metrics"].get(measure)
    if value is None or not math.isfinite(value):
      return -math.inf
    return -value if measure == VALIDATION_LOSS else value

  def flops(self) -> int:
    """Returns the model FLOPs that it has spent."""
    path = result_path(self.config)
    ledger = self._result().get("ledger") if path.exists() else None
    return int((ledger or {}).get("flops", 0))

  def _result(self) -> dict[str, Any]:
    return result_file.read(result_path(self.config), "remove it to run it")


def has_ended(config: Config) -> bool:
  """Returns whether a trial has come to its stop, or failed on the way."""
  return is_complete(config) or status_of(config) == FAILED


def with_seeds_from(config: Config, offset: int) -> Config:
  """Moves all seeds of a configuration on."""
  seeds = {kind: seed + offset for kind, seed in config.seeds.items()}
  return dataclasses.replace(config, seed=config.seed + offset, seeds=seeds)
