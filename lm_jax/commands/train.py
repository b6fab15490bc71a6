"""The command `train`: one run of one objective."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from lm_jax import config as config_lib
from lm_jax.config import Config, overrides
from lm_jax.devices import distributed
from lm_jax.inference import continued
from lm_jax.support.options import Option


def schema() -> dict[str, Option]:
  """The flags of `train`, by path."""
  known = config_lib.schema() | overrides.adaptation_flags()
  known |= overrides.objective_flags()
  for name in ("name", "arm", "family", *overrides.OF_TASKS):
    del known[name]
  return known


def run(
  given: Mapping[str, str], progress: bool = True
) -> tuple[Config, dict[str, Any]]:
  """The run that flags ask for, as one of its processes.

  Args:
    given: texts by path.
    progress: show how it goes: a bar on a terminal, lines elsewhere.

  Returns:
    its configuration, and what result.json holds.

  Raises:
    UsageError: the run is impossible, or its directory is taken.
  """
  with distributed.raise_everywhere():
    config = Config()
    if "model" in given:
      config = continued.continued(given["model"], given)
    config = overrides.override(config, given)
    name = f"{config.objective}-seed{config.seed}"
    config = dataclasses.replace(
      config,
      workdir=config.workdir or f"runs/{name}",
      name=name,
      arm=config.objective,
    )
    from lm_jax.runs import run as run_lib
    from lm_jax.storage import machines

    machines.use_threads(config.workdir)
    run_lib.check(config)
    if progress and distributed.is_first():
      tell_misfits([config])
  return config, run_lib.pretrain(config, progress)


def tell_misfits(configs: Sequence[Config]) -> None:
  """Says, before they are trained, which models of a preset do not export."""
  from lm_jax.hugging_face import forecast

  for line in dict.fromkeys(filter(None, map(forecast.misfit, configs))):
    print(f"lm_jax: {line}", file=sys.stderr)


def main(given: Mapping[str, str]) -> int:
  """Trains as flags ask; returns the exit code."""
  from lm_jax.runs import local

  config, result = run(given)
  tell(config, result)
  return local.EXIT[result["status"]]


def tell(config: Config, result: Mapping[str, Any]) -> None:
  """Prints what a run came to; of several processes the first one does."""
  from lm_jax.evaluation import text

  if not distributed.is_first():
    return
  print(f"{result['status']}: {config.workdir}/result.json")
  lines = text.of_result(result, config.task)
  if "wall_seconds" in result:  # those of before have none
    lines.append(
      f"seconds: {result['ledger']['seconds']:.1f} of training,"
      f" {result['wall_seconds']:.1f} in all, with compiling and measuring"
    )
  print("".join(f"{line}\n" for line in lines), end="")
  if result.get("error"):
    print(f"lm_jax: {result['error']}", file=sys.stderr)
