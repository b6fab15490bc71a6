"""Reads the text of --phases: "clm:0.25,mlm(rate=0.3):0.75"."""

from __future__ import annotations

import dataclasses
import functools
import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from typing import Any

from lm_jax.config.named_options import (
  OBJECTIVES,
  last_part,
  objective_schema,
  require_option,
)
from lm_jax.objectives.base import Objective
from lm_jax.support import registry
from lm_jax.support.errors import UsageError, about
from lm_jax.support.values import show
from lm_jax.types import ARCHITECTURES

_ARCHITECTURE = "architecture"
_FORM = (
  "must be objectives and their shares of the budget, clm:0.5,mlm:0.5, with"
  " options in brackets, mlm(rate=0.3):0.5"
)
_PHASE = re.compile(r"\s*(\w+)\s*(?:\(([^()]*)\))?\s*:\s*([^\s,()]+)\s*(?:,|$)")
_OPTION = re.compile(r",(?=\s*\w+\s*=)")  # A value may have commas.


@dataclasses.dataclass(frozen=True)
class Phase:
  """One phase.

  number: a share of the budget, or of each cycle; decimal.
  options: of the objective, by name; those that were given.
  architecture: one of ARCHITECTURES; "" unless given.
  """

  objective: str
  number: str
  options: Mapping[str, Any]
  architecture: Any = ""

  @property
  def weight(self) -> Fraction:
    """Its number, exactly."""
    return Fraction(Decimal(self.number))

  def __str__(self) -> str:
    options = {_ARCHITECTURE: self.architecture} if self.architecture else {}
    texts = [f"{k}={show(v)}" for k, v in {**options, **self.options}.items()]
    brackets = f"({','.join(texts)})" if texts else ""
    return f"{self.objective}{brackets}:{self.number}"


@functools.lru_cache(maxsize=64)
def parse(text: str) -> tuple[Phase, ...]:
  """Reads --phases; whether its numbers add up is checked by `shares`.

  Raises:
    UsageError: not of that form, an unknown objective or option, a value that
      an option can't have.
  """
  flag, phases, end = f"--phases={text}", [], 0
  while end < len(text):
    match = _PHASE.match(text, end)
    if match is None:
      raise UsageError(f"{flag}: {text[end:]!r} is no phase: {_FORM}")
    end = match.end()
    name, brackets, number = match.groups()
    phases.append(_phase(name, brackets, number, flag))
  if not phases or text.rstrip().endswith(","):
    raise UsageError(f"{flag}: {_FORM}")
  return tuple(phases)


def _phase(name: str, brackets: str | None, number: str, flag: str) -> Phase:
  registry.find(OBJECTIVES, name, Objective, f"{flag}: objective")
  try:
    weight = Decimal(number)
  except InvalidOperation:
    weight = Decimal("nan")
  if not (weight.is_finite() and 0 < weight <= 10**9):
    raise UsageError(
      f"{flag}: {number} must be a number above 0, the share of {name}"
    )
  known, options, architecture = objective_schema(name), {}, ""
  for part in filter(None, _OPTION.split(brackets or "")):
    option, equals, value = (x.strip() for x in part.partition("="))
    if not equals:
      raise UsageError(f"{flag}: {part!r} is no option and value: {_FORM}")
    if option in options or (option == _ARCHITECTURE and architecture):
      raise UsageError(f"{flag}: {option} stands twice in one phase")
    if option == _ARCHITECTURE:
      if value not in ARCHITECTURES:
        raise registry.unknown(f"{flag}: {option}", value, ARCHITECTURES)
      architecture = value
      continue
    path = f"objective.{option}"
    require_option(name, path, known, f"{flag}: {option}={value}")
    try:
      options[option] = known[path].parse(value)
    except UsageError as error:
      raise UsageError(f"--phases: {name}: {error}") from None
  return Phase(name, f"{weight.normalize():f}", options, architecture)


def with_absent(text: str, where: str) -> str:
  """Phases of a config.json with the options that it did not know yet.

  Those stand for what was done before there was the option.
  """
  with about(where):
    phases = parse(text)
  filled = []
  for phase in phases[:-1]:
    known = objective_schema(phase.objective).values()
    absent = {last_part(o.path): o.absent for o in known}
    own = {name: x for name, x in absent.items() if x is not None}
    options = own | dict(phase.options)
    filled.append(dataclasses.replace(phase, options=options))
  return ",".join(map(str, (*filled, phases[-1])))
