"""Reads --tune: the options that are tuned, and the ranges of their values.

optimizer.learning_rate:log:1e-4:1e-2,objective.rate:linear:0.1:0.5
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

from lm_jax import config as config_lib
from lm_jax.config import Config, overrides
from lm_jax.support import registry
from lm_jax.support.errors import UsageError, about

LOG, LINEAR = "log", "linear"
# They name a run, say which it is, or what it may spend: a larger one is not a
# better setting.
_BARRED = (
  *("seed", "budget", "length", "log_every", "eval_every", "checkpoint_every"),
  *("keep_last", "keep_every", "skip_limit", "train_examples", "patience"),
)
_NUMBERS = {int, float}
_DIGITS = 4  # of a value


@dataclasses.dataclass(frozen=True)
class Dimension:
  """An option that is tuned, and its range.

  path: of a number.
  scale: LOG or LINEAR.
  whole: whether it is a whole number.
  """

  path: str
  scale: str
  low: float
  high: float
  whole: bool = False

  def text(self, share: float) -> str:
    """Returns the value at a share of the range, 0 to 1, as one writes it."""
    if self.scale == LOG:
      value = self.low * (self.high / self.low) ** share
    else:
      value = self.low + (self.high - self.low) * share
    if self.whole:
      return str(round(value))
    return f"{value:.{_DIGITS}g}"

  def is_of(self, config: Config) -> bool:
    """Returns whether an arm has the option."""
    head = self.path.partition(".")[0]
    if head == "objective":
      return self.path in config_lib.objective_schema(config.objective)
    return head != "adapt" or self.path in config_lib.adaptation_schema(
      config.adapt.get(config_lib.METHOD, "")
    )

  def __str__(self) -> str:
    return f"{self.path}:{self.scale}:{self.low:g}:{self.high:g}"


def parse(texts: Sequence[str]) -> tuple[Dimension, ...]:
  """Reads what --tune has, each time that it is given.

  Raises:
    UsageError: an unknown option, one that can't be tuned or is there twice, or
      an empty range.
  """
  dimensions = tuple(
    _dimension(part) for text in texts for part in text.split(",")
  )
  paths = [one.path for one in dimensions]
  for path in paths:
    if paths.count(path) > 1:
      raise UsageError(f"--tune: {path} is there twice")
  return dimensions


def _dimension(text: str) -> Dimension:
  where = f"--tune={text}"
  path, *rest = text.split(":")
  if len(rest) != 3 or rest[0] not in (LOG, LINEAR):
    raise UsageError(
      f"{where}: must be OPTION:log:LOW:HIGH or OPTION:linear:LOW:HIGH, as in"
      " optimizer.learning_rate:log:1e-4:1e-2"
    )
  known = config_lib.schema() | overrides.objective_flags()
  if path not in known:
    valid = [p for p in known if not _is_barred(p)]
    valid = [p for p in valid if _kinds(p, known[p].kind) <= _NUMBERS]
    raise registry.unknown("--tune", path, valid, listing=False)
  option = known[path]
  if _is_barred(path):
    raise UsageError(
      f"{where}: {path} can't be tuned: it says which run it is, what it may"
      " spend or when it saves, and not how it learns"
    )
  kinds = _kinds(path, option.kind)
  if not kinds <= _NUMBERS:
    raise UsageError(
      f"{where}: {path} can't be tuned: it is no number; --sweep compares its"
      " values"
    )
  scale, low, high = rest[0], _number(where, rest[1]), _number(where, rest[2])
  if low >= high:
    raise UsageError(f"{where}: is empty; the first number must be the lower")
  if scale == LOG and low <= 0:
    raise UsageError(f"{where}: a log range must begin above 0")
  dimension = Dimension(path, scale, low, high, kinds == {int})
  if dimension.whole and not (low.is_integer() and high.is_integer()):
    raise UsageError(f"{where}: must begin and end with a whole number")
  if option.kind is not str:
    with about(where):
      for end in (0.0, 1.0):
        option.parse(dimension.text(end))  # out of the option's own bounds
  return dimension


def _is_barred(path: str) -> bool:
  return path in _BARRED or path.startswith("seed.")


def _kinds(path: str, kind: Any) -> set[Any]:
  """The kinds of an option; objectives may mean several by one name."""
  if kind is not str or not path.startswith("objective."):
    return {kind}
  schemas = map(
    config_lib.objective_schema, registry.names(config_lib.OBJECTIVES)
  )
  return {schema[path].kind for schema in schemas if path in schema}


def _number(where: str, text: str) -> float:
  try:
    value = float(text)
  except ValueError:
    value = math.nan
  if not math.isfinite(value):
    raise UsageError(f"{where}: {text}: must be a number")
  return value
