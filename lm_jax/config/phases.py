"""Phases: several objectives that train one set of parameters in turn.

`--phases=clm:0.5,mlm:0.5` trains by causal language modelling for half of the
budget, and by masked language modelling then. With `--phase_cycle=steps:100`
the phases take turns within each 100 steps, in proportion to their numbers.
The configuration's own objective, options and architecture are those of the
last phase, by which a finished model is read.
"""

from __future__ import annotations

import dataclasses
import re
from fractions import Fraction
from typing import Any

from lm_jax.config.named_options import (
  OBJECTIVES,
  architecture_of,
  last_part,
  objective_schema,
)
from lm_jax.config.phase_text import Phase, parse
from lm_jax.config.run import Config
from lm_jax.objectives.base import Objective
from lm_jax.support import registry
from lm_jax.support.errors import UsageError
from lm_jax.support.values import show

FLAGS = ("phases", "phase_schedule", "phase_cycle")
AS = (
  "the objective by which a run of --phases is read: one that trained it; by"
  " default that of the last phase"
)
# Shares need not be exact: 0.333333,0.333333,0.333334.
_ROUNDING = Fraction(1, 10**6)


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

  The run's own where it has no phases; made once a configuration.
  """
  if not config.phases:
    return (with_last(config),)
  # Not a field: it is neither compared nor written.
  if "_phases" not in config.__dict__:
    config.__dict__["_phases"] = _configs(with_last(config))
  return config.__dict__["_phases"]


def _configs(config: Config) -> tuple[Config, ...]:
  alone = dataclasses.replace(
    config, **{name: getattr(Config, name) for name in FLAGS}
  )
  before = [
    dataclasses.replace(
      alone,
      objective=phase.objective,
      objective_options=dict(phase.options),
      architecture=phase.architecture,
    )
    for phase in parse(config.phases)[:-1]
  ]
  return (*before, alone)


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


def label(config: Config) -> str:
  """Names what a run is trained by: "mlm", or "clm0.5+mlm0.5"."""
  return name_of(short(config)) if config.phases else config.objective


def name_of(text: str) -> str:
  """Turns the text of --phases into a name: "clm0.5+mlm0.5"."""
  return text.replace(" ", "").replace(":", "").replace(",", "+")
