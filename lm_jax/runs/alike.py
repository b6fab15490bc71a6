"""Tells configurations that are one and the same run, whatever their names."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from lm_jax import config as config_lib
from lm_jax.config import Config
from lm_jax.config.optimizer import OptimizerOptions
from lm_jax.hugging_face import write

# How a run is called and kept, which of an arm's runs it is, and what stands
# for fields of the trunk.
_NAMES = frozenset(
  {"workdir", "name", "arm", "allow_change", "seed", "size", "trunk.preset"}
  | {"trackers", "stop_at"}
)
# Options of the optimizer that some methods, or schedules, have no use for,
# and those that do.
_METHODS = {
  "beta1": {"adamw", "lamb", "lion", "muon"},
  "beta2": {"adamw", "lamb", "lion", "muon"},
  "epsilon": {"adamw", "lamb", "muon"},
  "momentum": {"muon"},
  "parameter_scale": {"adafactor"},
}
_SCHEDULES = {"final": {"cosine", "linear", "wsd"}, "decay": {"wsd"}}


def key(config: Config) -> str:
  """Returns a text that is equal for configurations which train the same.

  Seeds apart. Options without effect do not count: the size of an encoder where
  there is none, the momentum of AdamW.

  Raises:
    UsageError: the configuration is impossible.
  """
  values = config_lib.flat(config)
  used = {p: v for p, v in values.items() if p not in _NAMES}
  return json.dumps(
    used | _trunk(config) | _optimizer(config.optimizer), sort_keys=True
  )


def _trunk(config: Config) -> dict[str, Any]:
  """The fields of the trunk, one spelling for each network."""
  trunk = config_lib.build(config).trunk
  plain = write.canonical(trunk)
  fields = dataclasses.asdict(plain)
  # These change how it is trained.
  fields |= {name: getattr(trunk, name) for name in write.TRAINING}
  return {f"trunk.{name}": value for name, value in fields.items()}


def _optimizer(options: OptimizerOptions) -> dict[str, Any]:
  tables = ((_METHODS, options.name), (_SCHEDULES, options.schedule))
  return {
    f"optimizer.{field}": None
    for table, name in tables
    for field, users in table.items()
    if name not in users
  }
