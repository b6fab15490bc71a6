"""Trains one run of one objective."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lm_jax import config as config_lib
from lm_jax.config import Config, overrides, phases
from lm_jax.config.branches import AUTO
from lm_jax.devices import cluster, distributed
from lm_jax.inference import continued
from lm_jax.support import status
from lm_jax.support.errors import UsageError
from lm_jax.support.options import Option

Runner = Callable[[Mapping[str, str]], tuple[Config, dict[str, Any]]]


def schema() -> dict[str, Option]:
  """Returns the settings of a run by path, which Python has, too."""
  known = config_lib.schema() | overrides.adaptation_flags()
  known |= overrides.objective_flags()
  for name in ("name", "arm", "family", *overrides.OF_TASKS):
    del known[name]
  return known


def flags() -> dict[str, Option]:
  """Returns the flags by path."""
  return schema() | cluster.FLAGS


def run(
  given: Mapping[str, str], progress: bool = True
) -> tuple[Config, dict[str, Any]]:
  """Executes the run that flags ask for; its configuration and result.json.

  Raises:
    UsageError: the run is impossible, or its directory is taken.
  """
  with distributed.raise_everywhere():
    config = Config()
    if "model" in given:
      config = continued.continued(given["model"], given)
    config = overrides.override(config, given)
    if config.branches == AUTO:
      raise UsageError(
        f"--branches={AUTO}: compare knows the other arms; a single run has"
        " spends of its own, tokens:4e5,flops:1e12"
      )
    arm = phases.label(config)
    name = f"{arm}-seed{config.seed}"
    config = dataclasses.replace(
      config,
      workdir=config.workdir or f"runs/{name}",
      name=name,
      arm=arm,
    )
    from lm_jax.hugging_face import forecast
    from lm_jax.runs.run import Run
    from lm_jax.storage import machines

    machines.use_threads(config.workdir)
    run = Run(config)
    if progress and distributed.is_first():
      forecast.tell_misfits([run.config])
  return run.config, run.execute(progress)


def main(given: Mapping[str, Sequence[str]]) -> int:
  """Trains a run; returns the exit code."""
  return as_process(given, run)


def as_process(given: Mapping[str, Sequence[str]], run: Runner) -> int:
  """Carries out a run as one of its processes; returns the exit code.

  Args:
    given: texts by path, those of the cluster among them.
    run: from the texts of settings to a configuration and its result.
  """
  from lm_jax.storage import machines

  last = {path: texts[-1] for path, texts in given.items()}
  processes = cluster.from_flags(last)
  settings = {p: text for p, text in last.items() if p not in cluster.FLAGS}
  machines.use_threads(settings.get("workdir", ""))
  with cluster.joined(processes):
    config, result = run(settings)
    tell(config, result)
  return status.EXIT[result["status"]]


def tell(config: Config, result: Mapping[str, Any]) -> None:
  """Prints what a run came to; of several processes the first one does."""
  from lm_jax.evaluation import text
  from lm_jax.report import collect

  if not distributed.is_first():
    return
  if seal := collect.seal_of(config.workdir):
    print(f"lm_jax: {seal.primary} is {seal.text()}", file=sys.stderr)
    result = seal.shown(result)
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
