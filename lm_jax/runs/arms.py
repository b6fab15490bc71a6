"""The arms of an experiment: its own or named ones, and what they share."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Sequence

from lm_jax import config as config_lib
from lm_jax import experiments
from lm_jax.config import Config
from lm_jax.runs import grid
from lm_jax.runs.experiment_flags import DEFAULT, ExperimentFlags
from lm_jax.support import registry
from lm_jax.support.errors import UsageError


def named(
  module: experiments.Experiment, flags: ExperimentFlags
) -> list[Config]:
  """The arms of the experiment's file, or of the objectives that are named."""
  if "objectives" not in flags.given:
    arms = module.runs()
    module.require_baseline(grid.names_of(arms))
    return arms
  text = ",".join(flags.objectives)
  if flags.name != DEFAULT:
    raise UsageError(
      f"--objectives={text}: the arms of --experiment={flags.name} are its own;"
      f" give one of the two flags"
    )
  valid = registry.names(config_lib.OBJECTIVES)
  for objective in flags.objectives:
    if objective not in valid:
      raise registry.unknown("--objectives", objective, valid)
  if not flags.objectives or len(set(flags.objectives)) < len(flags.objectives):
    raise UsageError(f"--objectives={text}: must name some, each once")
  return module.runs(list(flags.objectives))


def trials(
  module: experiments.Experiment, configs: Sequence[Config]
) -> dict[str, int]:
  """Counts the runs that tuned each arm, as the experiment's file has it."""
  tried = getattr(module, "TRIALS", {})
  arms = dict.fromkeys(config.arm for config in configs)
  return {arm: tried.get(arm, 0) for arm in arms} if tried else {}


def packed_alike(configs: list[Config], progress: bool) -> list[Config]:
  """All arms with documents where one needs them, and none says otherwise."""
  needs = [flag for flag in map(config_lib.needs_documents, configs) if flag]
  free = [config for config in configs if not config.data.packing]
  if not needs or not free:
    return configs
  if progress:
    print(
      f"lm_jax: --data.packing=document for all arms: {needs[0]} needs it",
      file=sys.stderr,
    )
  change = dataclasses.replace
  return [
    change(c, data=change(c.data, packing=c.data.packing or "document"))
    for c in configs
  ]


def differing(configs: Sequence[Config]) -> list[str]:
  """The settings that the experiment itself gives to arms differently."""
  given = [config_lib.given(config) for config in configs]
  paths = dict.fromkeys(path for one in given for path in one)
  return [
    path
    for path in paths
    if len({str(one.get(path)) for one in given}) > 1
    and path not in ("name", "arm", "workdir", "seed")
    and not path.startswith("seed.")
  ]


def tell_merged(planned: int, configs: Sequence[Config]) -> None:
  names = list(dict.fromkeys(config.arm for config in configs))
  if len(names) < planned:
    print(
      f"lm_jax: of {planned} arms only {len(names)} differ, and equal ones are"
      f" one: {', '.join(names)}",
      file=sys.stderr,
    )


def baseline(asked: str, usual: str, configs: Sequence[Config]) -> str:
  arms = list(dict.fromkeys(config.arm for config in configs))
  if asked and asked not in arms:
    raise registry.unknown("--baseline", asked, arms)
  if asked or usual in arms:
    return asked or usual
  # Swept, an arm carries its values in its name: take the first such.
  swept = [arm for arm in arms if arm.startswith(f"{usual}-")]
  return (swept or arms)[0]
