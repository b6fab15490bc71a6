"""Reads --sweep: values and ranges of options, alone, linked, or of one arm.

optimizer.learning_rate=1e-3,3e-3           values
optimizer.learning_rate=1e-4:1e-2:log:5     a range: low, high, spacing, count
size+optimizer.learning_rate=nano+4e-3,tiny+1e-3    options that move together
mlm/objective.rate=0.15,0.4                 of the arm mlm alone
"""

from __future__ import annotations

import csv
import dataclasses
import itertools
import math
from collections.abc import Iterable, Mapping, Sequence

from lm_jax import config as config_lib
from lm_jax.config import overrides
from lm_jax.support import registry
from lm_jax.support.errors import UsageError
from lm_jax.support.options import Option

LINK, OF_ARM = "+", "/"
SPACINGS = ("log", "linear")
_MOST = 1000  # values of a range
_DIGITS = 3  # of the values within a range, where these tell them apart
# Amounts that need not be whole, of those that follow "flops:" and the like.
_FRACTIONS = ("seconds", "share")


@dataclasses.dataclass(frozen=True)
class Sweep:
  """The values of an option, or of several options that move together.

  paths: of the options.
  values: at each point, a text for each path.
  arm: the only one that has it; "" for all arms.
  """

  paths: tuple[str, ...]
  values: tuple[tuple[str, ...], ...]
  arm: str = ""

  @property
  def key(self) -> str:
    """The part before "=", as one writes it."""
    return (self.arm and f"{self.arm}{OF_ARM}") + LINK.join(self.paths)

  @property
  def texts(self) -> list[str]:
    """The values as one writes them; those of a range each by itself."""
    return [LINK.join(value) for value in self.values]

  def __str__(self) -> str:
    return f"--sweep={self.key}={','.join(self.texts)}"


def parse(sweeps: Sequence[str], arms: Iterable[str] = ()) -> list[Sweep]:
  """Reads what --sweep has, each time that it is given.

  Args:
    sweeps: as above; a value with a comma stands in double quotes.
    arms: their names, one of which may stand before a "/".

  Raises:
    UsageError: no path, no value, one of them twice, an empty range.
  """
  parsed = [_parse(text, tuple(arms)) for text in sweeps]
  for number, one in enumerate(parsed):
    for other in parsed[:number]:
      shared = set(one.paths) & set(other.paths)
      where = f"--sweep={sweeps[number]}"
      if shared and one.arm == other.arm:
        raise UsageError(f"{where}: the same thing twice")
      if shared and one.paths != other.paths and not (one.arm and other.arm):
        raise UsageError(
          f"{where}: moves {', '.join(sorted(shared))}, and so does"
          f" --sweep={other.key}; an arm's own must have the same options"
        )
  return parsed


def of_arm(sweeps: Sequence[Sweep], arm: str) -> list[Sweep]:
  """Returns the sweeps that an arm has; its own replace those of all arms."""
  own = {sweep.paths: sweep for sweep in sweeps if sweep.arm == arm}
  shared = [own.pop(s.paths, s) for s in sweeps if not s.arm]
  return [*shared, *own.values()]


def by_path(sweeps: Sequence[Sweep]) -> dict[str, list[str]]:
  """Values by option, where all of them are crossed.

  Raises:
    UsageError: options move together, or one arm has values of its own.
  """
  for sweep in sweeps:
    if sweep.arm or len(sweep.paths) > 1:
      raise UsageError(f"{sweep}: must be one option, swept in all arms")
  return {sweep.key: sweep.texts for sweep in sweeps}


def _parse(text: str, arms: Sequence[str]) -> Sweep:
  where = f"--sweep={text}"
  # An arm's name may have signs of its own; the longest that fits is meant.
  named = [arm for arm in arms if text.startswith(f"{arm}{OF_ARM}")]
  arm = max(named, key=len, default="")
  rest = text[len(arm) + 1 :] if arm else text
  keys, equals, listed = rest.partition("=")
  if OF_ARM in keys and not arm:
    arm, _, keys = keys.rpartition(OF_ARM)
    if arms or not arm:
      raise registry.unknown(f"{where}: arm", arm, arms)
  values = next(csv.reader([listed], skipinitialspace=True), [])
  paths = tuple(keys.split(LINK))
  if not all(paths) or not equals or not all(values) or not values:
    raise UsageError(
      f"{where}: must be an option and its values,"
      " optimizer.learning_rate=1e-3,3e-3, or a range of them, 1e-4:1e-2:log:5"
    )
  if len(paths) > 1:
    points = [_linked(value, paths, _at(where, value)) for value in values]
  else:
    points = [
      (text,)
      for value in values
      for text in _expand(value, paths[0], _at(where, value))
    ]
  if len(set(points)) < len(points) or len(set(paths)) < len(paths):
    raise UsageError(f"{where}: the same thing twice")
  return Sweep(paths, tuple(points), arm)


def _at(where: str, value: str) -> str:
  """Names a value in a message, unless it is all that follows the option."""
  return where if where.endswith(f"={value}") else f"{where}: {value}"


def _linked(value: str, paths: Sequence[str], where: str) -> tuple[str, ...]:
  """Splits "nano+4e-3" into a text for each path; 1e+3 is one number."""
  parts: list[str] = []
  for part in value.split(LINK):
    exponent = (
      parts
      and parts[-1][-1:] in ("e", "E")
      and _is_number(f"{parts[-1]}{LINK}{part}")
    )
    if exponent:
      parts[-1] += LINK + part
    else:
      parts.append(part)
  if len(parts) != len(paths) or not all(parts):
    raise UsageError(
      f"{where}: must have {len(paths)} values, one for each of"
      f" {', '.join(paths)}, with {LINK} between them"
    )
  if any(spacing in p.split(":") for p in parts for spacing in SPACINGS):
    raise UsageError(f"{where}: a range can't be linked; write its values out")
  return tuple(parts)


def _kind(path: str) -> object:
  """The kind of an option; None of one that there is not."""
  known: Mapping[str, Option] = config_lib.schema()
  if path.startswith("objective."):
    known = overrides.objective_flags()
  elif path.startswith("adapt."):
    known = overrides.adaptation_flags()
  return known[path].kind if path in known else None


def _expand(value: str, path: str, where: str) -> list[str]:
  """The values of a range; a value that is none, as it is."""
  if ":" not in value:
    return [value]
  kind = _kind(path)
  prefix, numbers = "", value.split(":")
  if kind not in (int, float):
    spaced = any(part in SPACINGS for part in numbers)
    if spaced and numbers[0].isalpha() and kind is str:
      prefix, *numbers = numbers  # flops:1e11:1e13:log:3
    # Objectives may mean different kinds by one name.
    several = kind is None or path.startswith("objective.")
    if not spaced or not (prefix or several):
      return [value]  # budget=steps:3
  if (
    len(numbers) != 4
    or numbers[2] not in SPACINGS
    or not (_is_number(numbers[0]) and _is_number(numbers[1]))
    or not (numbers[3].isascii() and numbers[3].isdigit())
  ):
    raise UsageError(
      f"{where}: a range is LOW:HIGH:log:COUNT or LOW:HIGH:linear:COUNT"
    )
  low, high, count = float(numbers[0]), float(numbers[1]), int(numbers[3])
  counted = bool(prefix) and prefix not in _FRACTIONS
  whole = kind is int or counted
  if low >= high:
    raise UsageError(f"{where}: is empty; the first number must be the lower")
  if not 2 <= count <= _MOST:
    raise UsageError(f"{where}: must have from 2 to {_MOST} values")
  if numbers[2] == "log" and low <= 0:
    raise UsageError(f"{where}: a log range must begin above 0")
  if whole and not (low.is_integer() and high.is_integer()):
    raise UsageError(f"{where}: must begin and end with a whole number")
  points = _spaced(low, high, numbers[2] == "log", count)
  if whole:
    points = [float(round(x)) for x in points]
  if len(set(points)) < count:
    different = ", ".join(map(_text, dict.fromkeys(points)))
    raise UsageError(
      f"{where}: has no {count} whole numbers that differ, only {different}"
    )
  if kind is int:
    return [str(int(x)) for x in points]
  before = f"{prefix}:" if prefix else ""
  return [before + _text(x) for x in _rounded(points)]


def _is_number(text: str) -> bool:
  try:
    return math.isfinite(float(text))
  except ValueError:
    return False


def _spaced(low: float, high: float, log: bool, count: int) -> list[float]:
  """Numbers from `low` to `high`, both included."""
  shares = [place / (count - 1) for place in range(1, count - 1)]
  if log:
    between = [low * (high / low) ** share for share in shares]
  else:
    between = [low + (high - low) * share for share in shares]
  return [low, *between, high]


def _rounded(points: Sequence[float]) -> list[float]:
  """Numbers with few digits, but for the first and the last.

  They are three, or as many as move none by more than a hundredth of the gap
  below it.
  """
  between = list(itertools.pairwise(points))[:-1]
  for digits in range(_DIGITS, 18):
    short = [float(f"{x:.{digits}g}") for _, x in between]
    moved = zip(short, between, strict=True)
    if all(abs(new - x) <= (x - below) / 100 for new, (below, x) in moved):
      break
  return [points[0], *short, points[-1]]


def _text(value: float) -> str:
  """The shortest text of a number: 0.000316, 3.16e11."""
  text = next(t for n in range(6, 18) if float(t := f"{value:.{n}g}") == value)
  number, exponent, power = text.partition("e")
  return f"{number}e{int(power)}" if exponent else number
