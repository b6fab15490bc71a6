"""The command that makes one run again, and what in it is no default."""

from __future__ import annotations

import pathlib

from lm_jax import config as config_lib
from lm_jax.config import Config
from lm_jax.config.as_flags import as_flags
from lm_jax.report.run_details import Recipe
from lm_jax.support import invocation
from lm_jax.support.errors import UsageError


def read(folder: pathlib.Path) -> Recipe | None:
  """Returns the recipe of a run's directory; None where it can't be had."""
  try:
    return of(config_lib.read(str(folder)))
  except UsageError:
    return None


def of(config: Config) -> Recipe:
  """Returns the recipe of a configuration."""
  words = as_flags(config)
  command = "finetune" if config.task else "train"
  pairs = (word.removeprefix("--").partition("=") for word in words)
  settings = {path: value for path, _, value in pairs if path != "workdir"}
  return Recipe(invocation.line([command, *words]), settings)
