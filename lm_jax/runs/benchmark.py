"""The published pairs that a run is measured on at its end: --benchmark."""

from __future__ import annotations

from typing import Any

from lm_jax.config import Config
from lm_jax.support.errors import UsageError
from lm_jax.tasks.blimp import Blimp


def wanted(config: Config) -> dict[str, Any] | None:
  """Returns what result.json says of a benchmark that was measured, if any.

  None also where --eval measures nothing of that kind.
  """
  if not config.benchmark or config.eval not in ("all", "final"):
    return None
  return {
    "task": config.benchmark,
    "data": config.benchmark_data,
    "limit": config.benchmark_limit,
    "link": config.link,
  }


def task(config: Config) -> Blimp | None:
  """Makes the task of a run's benchmark; None without one."""
  if wanted(config) is None:
    return None
  made = Blimp()
  made.asked_by = "--benchmark"
  made.place = config.benchmark_data
  made.limit, made.link = config.benchmark_limit, config.link
  made.only_fitting = True
  return made


def check(config: Config) -> None:
  """Raises UsageError where flags of a benchmark have none."""
  if config.benchmark:
    return
  for name, plain in (("benchmark_data", ""), ("benchmark_limit", 0)):
    if getattr(config, name) != plain:
      raise UsageError(
        f"--{name}={getattr(config, name)}: is of --benchmark=blimp"
      )
  if config.link != "sum":
    raise UsageError(f"--link={config.link}: is of --benchmark=blimp")
