"""Fine-tunes a model on a task's examples, or many by one protocol."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Mapping
from typing import Any

from lm_jax.commands import train
from lm_jax.commands.flags import Given
from lm_jax.config import Config
from lm_jax.devices import cluster
from lm_jax.finetuning import recipe
from lm_jax.inference.directory import ModelDirectory
from lm_jax.runs import protocol
from lm_jax.support import invocation
from lm_jax.support.errors import UsageError
from lm_jax.support.options import Option


def run(
  given: Mapping[str, str], progress: bool = True
) -> tuple[Config, dict[str, Any]]:
  """Executes the run that flags ask for; its configuration and result.json.

  Raises:
    UsageError: it is impossible, or its directory is taken.
  """
  from lm_jax.devices import distributed
  from lm_jax.runs.run import Run
  from lm_jax.storage import machines
  from lm_jax.training.assemble import enable_compilation_cache

  # Before jax looks for devices, which reading a model takes.
  source = pathlib.Path(given.get("model", "")).name
  name = f"{given.get('task')}-{source or given.get('size', Config.size)}"
  name += f"-seed{given.get('seed', Config.seed)}"
  place = given.get("workdir") or f"runs/{name}"
  machines.use_threads(place)
  enable_compilation_cache(given.get("data.cache", ""))
  with distributed.raise_everywhere():
    config = recipe.configured(as_begun(given, place))
    source = pathlib.Path(config.model).name if config.model else config.size
    name = f"{config.task}-{source}-seed{config.seed}"
    config = dataclasses.replace(
      config,
      workdir=config.workdir or f"runs/{name}",
      name=name,
      arm=source,
    )
    run = Run(config)
  return run.config, run.execute(progress)


def as_begun(given: Mapping[str, str], directory: str) -> Mapping[str, str]:
  """Adds the objective of the run in a directory, unless the flags name one.

  So runs that classified candidates, before there was multiple choice, go on.
  """
  old = ModelDirectory(directory, "--workdir")
  if "objective" in given or not old.task or old.task != given.get("task"):
    return given
  return {**given, "objective": old.config.objective}


def flags() -> dict[str, Option]:
  """Returns the flags by path: of one run, and of a protocol of many."""
  return recipe.schema() | protocol.schema() | cluster.FLAGS


def main(given: Given) -> int:
  """Fine-tunes a model, or many by one protocol; returns the exit code."""
  if {"models", "tasks"} & set(given):
    from lm_jax.runs import protocol_run

    return protocol_run.main(given, invocation.line(["finetune", *given.words]))
  for path in set(protocol.schema()) - set(recipe.schema()):
    if path in given:
      raise UsageError(
        f"--{path}={given[path][-1]}: belongs to a protocol, --models and"
        " --tasks"
      )
  return train.as_process(given, run)
