"""Phases: several objectives that train one set of parameters in turn.

`--phases=clm:0.5,mlm:0.5` trains by causal language modelling for half of the
budget, and by masked language modelling then. With `--phase_cycle=steps:100`
the phases take turns within each 100 steps, in proportion to their numbers.
The configuration's own objective, options and architecture are those of the
last phase, by which a finished model is read.
"""

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
  architecture_of,
  last_part,
  objective_schema,
  require_option,
)
from lm_jax.config.run import Config
from lm_jax.objectives.base import Objective
from lm_jax.support import registry
from lm_jax.support.errors import UsageError, about
from lm_jax.support.values import show
from lm_jax.types import ARCHITECTURES

FLAGS = ("phases", "phase_schedule", "phase_cycle")
AS = (
  "the objective by which a run of --phases is read: one that trained it; by"
  " default that of the last phase"
)
_ARCHITECTURE = "architecture"
_FORM = (
  "must be objectives and their shares of the budget, clm:0.5,mlm:0.5, with"
  " options in brackets, mlm(rate=0.3):0.5"
)
_PHASE = re.compile(r"\s*(\w+)\s*(?:\(([^()]*)\))?\s*:\s*([^\s,()]+)\s*(?:,|$)")
_OPTION = re.compile(r",(?=\s*\w+\s*=)")  # A value may have commas.
# Shares need not be exact: 0.333333,0.333333,0.333334.
_ROUNDING = Fraction(1, 10**6)


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


def with_last(config: Config) -> Config:
  """Returns the configuration with the objective of its last phase.

  What each phase leaves open is written into `phases`, so that only the last
  one depends on further options. Idempotent.

  Raises:
    UsageError: the phases are impossible, or contradict other options.
  """
  if not config.phases:
    for flag in FLAGS[1:]:
      value = getattr(config, flag)
      if value != getattr(Config, flag):
        raise UsageError(f"--{flag}={value}: needs --phases")
    return config
  *before, last = parse(config.phases)
  flag = f"--phases={short(config)}"
  if config.objective not in (last.objective, Config.objective):
    raise UsageError(
      f"--objective={config.objective}: {flag} ends with {last.objective},"
      " which is the objective of the run"
    )
  options = dict(config.objective_options)
  for name, value in last.options.items():
    if options.setdefault(name, value) != value:
      raise UsageError(
        f"--objective.{name}={show(options[name])}: {flag} has"
        f" {show(value)}; give one of the two"
      )
  architecture: Any = config.architecture or last.architecture
  if last.architecture not in ("", architecture):
    raise UsageError(
      f"--architecture={architecture}: {flag} has {last.architecture} for its"
      " last phase; give one of the two"
    )
  phases = [_written_out(phase, config) for phase in before]
  phases.append(Phase(last.objective, last.number, {}))
  config = dataclasses.replace(
    config,
    phases=",".join(map(str, phases)),
    objective=last.objective,
    objective_options=options,
    architecture=architecture,
  )
  shares(config)
  _require_one_stack(config)
  return config


def _written_out(phase: Phase, config: Config) -> Phase:
  """A phase with its architecture, and all options of its objective."""
  cls = registry.find(OBJECTIVES, phase.objective, Objective, "--phases")
  own = {
    last_part(path): option.default
    for path, option in objective_schema(phase.objective).items()
  }
  architecture = phase.architecture
  if not architecture:
    fits = config.architecture in cls.architectures
    open_ = dataclasses.replace(config, architecture="")
    architecture = architecture_of(config if fits else open_, cls)
  return Phase(
    phase.objective, phase.number, own | dict(phase.options), architecture
  )


def _require_one_stack(config: Config) -> None:
  """Raises UsageError where phases can't train the same parameters."""
  cls = registry.find(OBJECTIVES, config.objective, Objective, "--phases")
  last = architecture_of(config, cls)
  phases = parse(config.phases)
  kinds = [phase.architecture or last for phase in phases]
  pairs = (kind == "encoder_decoder" for kind in kinds)
  if len(set(pairs)) > 1:
    shown = ", ".join(
      f"{p.objective} ({kind})" for p, kind in zip(phases, kinds, strict=True)
    )
    raise UsageError(
      f"--phases={short(config)}: no one stack can have {shown}; phases are"
      " all encoder_decoder, or none is"
    )


def shares(config: Config) -> tuple[Fraction, ...]:
  """Returns the part of each phase, in the budget or a cycle; sums to 1.

  Raises:
    UsageError: without a cycle, if the numbers do not add up to 1.
  """
  weights = [phase.weight for phase in parse(config.phases)]
  whole = sum(weights, Fraction())
  if not config.phase_cycle and abs(whole - 1) > _ROUNDING:
    raise UsageError(
      f"--phases={short(config)}: the shares add up to {float(whole):g} and"
      " must add up to 1 (with --phase_cycle=steps:100 they may be any numbers)"
    )
  turns(config)
  return tuple(weight / whole for weight in weights)


def turns(config: Config) -> tuple[int, ...]:
  """Returns the steps of each phase within a cycle; () without one.

  Raises:
    UsageError: --phase_cycle is none, or does not give whole steps.
  """
  if not config.phase_cycle:
    return ()
  flag = f"--phase_cycle={config.phase_cycle}"
  currency, _, number = config.phase_cycle.partition(":")
  if currency != "steps" or not re.fullmatch(r"[1-9]\d{0,8}", number):
    raise UsageError(f"{flag}: must be a whole number of steps, steps:100")
  if config.phase_schedule != "whole":
    raise UsageError(
      f"--phase_schedule={config.phase_schedule}: not with {flag}, whose phases"
      " have no part of the budget of their own"
    )
  weights = [phase.weight for phase in parse(config.phases)]
  whole = sum(weights, Fraction())
  steps = [int(number) * weight / whole for weight in weights]
  if any(count.denominator > 1 for count in steps):
    least = max((w / whole).denominator for w in weights)
    shown = ", ".join(f"{float(count):g}" for count in steps)
    raise UsageError(
      f"{flag}: --phases={short(config)} would take {shown} steps in turn;"
      f" must be whole steps, those of a multiple of {least} are"
    )
  return tuple(map(int, steps))


def courses(config: Config) -> tuple[tuple[float, float], ...]:
  """Returns where in the budget each phase's schedule begins and ends."""
  if config.phase_schedule == "whole":
    return ((0.0, 1.0),) * len(parse(config.phases))
  after = ends(config)
  return tuple(zip((0.0, *after), after, strict=False))


def ends(config: Config) -> tuple[float, ...]:
  """Returns the share of the budget at which each phase ends; the last: 1."""
  total, until = Fraction(), []
  for share in shares(config):
    total += share
    until.append(float(total))
  return (*until[:-1], 1.0)


def configs(config: Config) -> tuple[Config, ...]:
  """Returns the configuration of each phase, as if it were the whole run.

  The run's own where it has one phase or none.
  """
  config = with_last(config)
  alone = dataclasses.replace(
    config, **{name: getattr(Config, name) for name in FLAGS}
  )
  made = [alone]
  for phase in reversed(parse(config.phases)[:-1] if config.phases else ()):
    made.append(
      dataclasses.replace(
        alone,
        objective=phase.objective,
        objective_options=dict(phase.options),
        architecture=phase.architecture,
      )
    )
  return tuple(reversed(made))


def objectives(config: Config) -> tuple[str, ...]:
  """Returns the names of what a model is trained by, the last one last."""
  names = [one.objective for one in configs(config)]
  return tuple(dict.fromkeys(reversed(names)))[::-1]


def number(config: Config, name: str, what: str) -> int:
  """Returns the number of the last phase of an objective, from 0.

  Args:
    config: of a run.
    name: of the objective; "" for the run's own.
    what: names the objective and the model in messages.

  Raises:
    UsageError: the model was not trained by that objective.
  """
  names = [one.objective for one in configs(config)]
  if not name:
    return len(names) - 1
  if name not in names:
    valid = " and ".join(objectives(config))
    raise UsageError(f"{what} was trained by {valid}")
  return len(names) - 1 - names[::-1].index(name)


def short(config: Config) -> str:
  """Shows the phases without their options: "clm:0.5,mlm:0.5"."""
  return ",".join(f"{p.objective}:{p.number}" for p in parse(config.phases))
