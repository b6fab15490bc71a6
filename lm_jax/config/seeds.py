"""Seeds of a run: one for all, or one for each kind of chance."""

from __future__ import annotations

import dataclasses

from lm_jax.config.run import Config
from lm_jax.support.options import Option, option, options
from lm_jax.types import SEED_KINDS


@dataclasses.dataclass(frozen=True)
class Seeds:
  """A seed of each kind; the fields are flags: --seed.order=3."""

  parameters: int = option(
    0, "of the first parameters; unless given, --seed", least=0
  )
  order: int = option(
    0, "of the order of the rows; unless given, --seed", least=0
  )
  corruption: int = option(
    0,
    "of masks, noise and dropout in each step; unless given, --seed",
    least=0,
  )


KINDS = SEED_KINDS


def schema() -> dict[str, Option]:
  """Returns the options by path, without a default: it is --seed."""
  return {
    path: dataclasses.replace(one, default=None)
    for path, one in options(Seeds, "seed.").items()
  }


def seeds_of(config: Config) -> Seeds:
  """Returns the seeds of a configuration."""
  return Seeds(**{kind: config.seeds.get(kind, config.seed) for kind in KINDS})


def apart(config: Config) -> dict[str, int]:
  """Returns the seeds that are not --seed, by kind: how a run is recorded."""
  return {
    kind: seed for kind, seed in config.seeds.items() if seed != config.seed
  }
