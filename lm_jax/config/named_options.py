"""The options of a run by path, and the classes that it names."""

from __future__ import annotations

from collections.abc import Iterable

from lm_jax.adaptation.base import Adaptation
from lm_jax.config import seeds as seeds_lib
from lm_jax.config import trunk as trunk_lib
from lm_jax.config.run import Config
from lm_jax.models import sizes
from lm_jax.objectives.base import Objective
from lm_jax.support import registry
from lm_jax.support.errors import UsageError
from lm_jax.support.options import Option, options
from lm_jax.types import Architecture

OBJECTIVES = "lm_jax.objectives"
ADAPTATIONS = "lm_jax.adaptation"


def schema() -> dict[str, Option]:
  """All options but the objective's own, by path."""
  return options(Config) | seeds_lib.schema() | trunk_lib.schema()


def objective_class(name: str) -> type[Objective]:
  """The objective of that name, or UsageError."""
  return registry.find(OBJECTIVES, name, Objective, "--objective")


def architecture_of(config: Config, cls: type[Objective]) -> Architecture:
  """Returns the architecture asked for, or else the preset's, if that fits."""
  if config.architecture:
    return config.architecture
  published = sizes.PUBLISHED_AS.get(config.trunk.get("preset", ""))
  return published if published in cls.architectures else cls.natural


def objective_schema(name: str) -> dict[str, Option]:
  """The options that an objective has of its own: "objective.rate"."""
  return options(objective_class(name), "objective.")


def adaptation_class(name: str, where: str = "--adapt.method"):
  """The adaptation of that name, or UsageError."""
  return registry.find(ADAPTATIONS, name, Adaptation, where)


def adaptation_schema(name: str) -> dict[str, Option]:
  """The options of an adaptation, "adapt.rank", without its name."""
  return options(adaptation_class(name), "adapt.")


def versioned(objective: str) -> dict[str, Option]:
  """The options whose default is not what runs did before there was one."""
  known = schema() | objective_schema(objective)
  return {path: o for path, o in known.items() if o.absent is not None}


def is_open(config: Config, path: str) -> bool:
  """Returns whether a configuration leaves a `versioned` option open."""
  head, _, name = path.rpartition(".")
  if head == "objective":
    return name not in config.objective_options
  return bool(head) and getattr(getattr(config, head), name) == ""


def require_option(
  owner: str, path: str, valid: Iterable[str], where: str
) -> None:
  """Raises UsageError if an objective, or adaptation, has no such option.

  Args:
    path: "objective.rate".
    valid: the paths that it has.
    where: what is wrong, for the message.
  """
  if path not in valid:
    close = registry.nearest(path, valid)
    hint = f"; did you mean {close[0]}?" if close else "."
    names = ", ".join(map(last_part, valid))
    raise UsageError(
      f"{where}: {owner} has no such option{hint} It has: {names or 'none'}"
    )


def last_part(path: str) -> str:
  return path.rpartition(".")[2]
