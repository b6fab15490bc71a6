"""The command that makes one run again, and what in it is no default."""

from __future__ import annotations

import pathlib
from typing import Any

from lm_jax import config as config_lib
from lm_jax.config import Config, overrides
from lm_jax.report.run_details import Recipe
from lm_jax.support import invocation
from lm_jax.support.errors import UsageError
from lm_jax.support.values import show

# Names that an experiment gives; `train` makes its own.
_NAMES = ("name", "arm", "family", "allow_change")


def read(folder: pathlib.Path) -> Recipe | None:
  """Returns the recipe of a run's directory; None where it can't be had."""
  try:
    return of(config_lib.read(str(folder)))
  except UsageError:
    return None


def of(config: Config) -> Recipe:
  """Returns the recipe of a configuration.

  The command has the settings that no default of its objective, architecture
  and size gives; all settings, where these would not make the same run.
  """
  own = _settings(config)
  shape = {path: own[path] for path in ("objective", "architecture", "size")}
  defaults = _settings(Config(**shape))
  differ = {p: v for p, v in own.items() if v != defaults.get(p)}
  asked = shape | differ
  if not _makes(asked, own):
    asked = own
  command = "finetune" if config.task else "train"
  words = [f"--{path}={show(value)}" for path, value in asked.items()]
  return Recipe(
    invocation.line([command, *words]),
    {path: show(v) for path, v in differ.items() if path != "workdir"},
  )


def _settings(config: Config) -> dict[str, Any]:
  flat = config_lib.flat(config)
  return {
    path: value
    for path, value in flat.items()
    if path not in _NAMES and not (path == "heads" and not value)
  }


def _makes(asked: dict[str, Any], own: dict[str, Any]) -> bool:
  """Returns whether these settings, as text, make the whole configuration."""
  texts = {path: show(value) for path, value in asked.items()}
  try:
    made = _settings(overrides.override(Config(), texts))
  except UsageError:
    return False
  return {p: show(v) for p, v in made.items()} == {
    p: show(v) for p, v in own.items()
  }
