"""Makes the parts of a configuration: defaults written out, all checked."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Callable
from typing import Any

from lm_jax.adaptation.base import Adaptation
from lm_jax.config import branches as branches_lib
from lm_jax.config import mesh as mesh_lib
from lm_jax.config import phases as phases_lib
from lm_jax.config import seeds as seeds_lib
from lm_jax.config import trunk as trunk_lib
from lm_jax.config.budget import Budget
from lm_jax.config.named_options import (
  adaptation_class,
  architecture_of,
  last_part,
  objective_class,
)
from lm_jax.config.optimizer import END, START
from lm_jax.config.run import METHOD, Config, flatten
from lm_jax.data import encodings
from lm_jax.objectives.base import Objective
from lm_jax.support import invocation
from lm_jax.support.errors import UsageError, about
from lm_jax.support.options import check_ranges, options
from lm_jax.types import ARCHITECTURES, Architecture, Trunk


@dataclasses.dataclass(frozen=True)
class Built:
  """The parts that a configuration names.

  trunk: its vocabulary and max_positions are left to who reads the data.
  stretch: may there be more positions than max_positions?
  mesh: devices by axis; {} where none was asked for.
  adaptation: of the model that is trained further; None trains all of it.
  """

  objective: Objective
  trunk: Trunk
  mesh: dict[str, int]
  adaptation: Adaptation | None = None
  stretch: bool = False


def resolve(config: Config) -> Config:
  """Writes every default out; idempotent, and done once a configuration.

  Raises:
    UsageError: a name is unknown, or an option's value impossible.
  """
  return _once(config, "_resolved", _resolve)


def _once(config: Config, name: str, make: Callable[[Config], Any]) -> Any:
  """Computes something of a configuration once, and keeps it with it."""
  # Not a field: it is neither compared nor written.
  if name not in config.__dict__:
    config.__dict__[name] = make(config)
  return config.__dict__[name]


def _resolve(config: Config) -> Config:
  config = with_packing(phases_lib.with_last(config))
  cls = objective_class(config.objective)
  own = {last_part(o.path): o.default for o in options(cls).values()}
  architecture = architecture_of(config, cls)
  trunk = _trunk(config, architecture)
  shape = {name: getattr(trunk, name) for name in trunk_lib.FIELDS}
  for name in ("preset", *trunk_lib.FROM_DATA):
    if name in config.trunk:
      shape[name] = config.trunk[name]
  adapt, model = config.adapt, config.model
  if adapt:
    fields = options(adaptation_class(adapt[METHOD])).values()
    adapt = {METHOD: ""} | {o.path: o.default for o in fields} | adapt
    # It is read again whenever the run is, from anywhere.
    model = str(pathlib.Path(model).absolute()) if model else ""
  optimizer = config.optimizer
  if not optimizer.rate_at:
    # A last rate of 0 at the end of a step would waste it.
    starts = config.task or not optimizer.final
    rate_at: Any = START if starts else END
    optimizer = dataclasses.replace(optimizer, rate_at=rate_at)
  data = config.data
  if not data.sentences:
    alone = data.packing == "document"
    sentences: Any = "whole" if alone else "any"
    data = dataclasses.replace(data, sentences=sentences)
  if not data.segmentation:
    data = dataclasses.replace(data, segmentation="script")
  resolved = dataclasses.replace(
    config,
    model=model,
    adapt=adapt,
    data=data,
    architecture=architecture,
    optimizer=optimizer,
    budget=str(Budget.parse(config.budget)),
    seeds=seeds_lib.apart(config),
    objective_options=own | config.objective_options,
    trunk=shape,
  )
  resolved.__dict__["_resolved"] = resolved
  return resolved


def needs_documents(config: Config) -> str:
  """The flag of what needs rows of one document each; "" where nothing does."""
  for one in phases_lib.configs(config):
    if objective_class(one.objective).needs_documents:
      return f"--objective={one.objective}"
  name = config.adapt.get(METHOD, "")
  if name and adaptation_class(name).needs_documents:
    return f"--adapt.{METHOD}={name}"
  return ""


def with_packing(config: Config) -> Config:
  """The configuration with the packing that it needs, unless it names one."""
  if config.data.packing:
    return config
  packing: Any = "document" if needs_documents(config) else "packed"
  data = dataclasses.replace(config.data, packing=packing)
  return dataclasses.replace(config, data=data)


def build(config: Config) -> Built:
  """Makes the objective and the trunk, checked; once a configuration.

  Nothing is compiled or written.

  Raises:
    UsageError: what was asked for is impossible.
  """
  return _once(config, "_built", _build)


def _build(config: Config) -> Built:
  branches_lib.parse(config)
  *others, config = phases_lib.configs(config)
  for other in others:
    with about(f"a phase of {other.objective}"):
      build(other)
  cls = objective_class(config.objective)
  architecture = architecture_of(config, cls)
  if architecture not in cls.architectures:
    fits = [name for name in ARCHITECTURES if name in cls.architectures]
    raise UsageError(
      f"--architecture={architecture}: --objective={config.objective} fits"
      f" {' or '.join(fits)} only"
    )
  if cls.supervised != bool(config.task):
    raise UsageError(
      f"--objective={config.objective}: learns from examples:"
      f" {invocation.program()} finetune --task=..."
      if cls.supervised
      else f"--task={config.task}: --objective={config.objective} learns from"
      " plain text"
    )
  check_ranges(config)
  check_ranges(seeds_lib.seeds_of(config), "seed.")
  _require_consistent(config)
  Budget.parse(config.budget)
  encodings.check(config.data.encoding)
  if config.data.unique:
    from lm_jax.data import unique

    unique.Amount.parse(config.data.unique)
  packing = with_packing(config).data.packing
  needs = needs_documents(config)
  if needs and packing != "document":
    raise UsageError(
      f"--data.packing={packing}: {needs} needs --data.packing=document, one"
      " text a row"
    )
  trunk = _trunk(config, architecture)
  trunk_lib.check(trunk)
  adaptation = _adaptation(config, trunk)
  if adaptation and adaptation.needs_documents and cls.parts_examples:
    raise UsageError(
      f"--adapt.method={adaptation.name}: needs one text a row, and"
      f" --objective={config.objective} has several; others of"
      " `list adaptations` fit"
    )
  stretch = _stretch(config)
  rows = config.batch_size // config.accumulate
  mesh = mesh_lib.check(config.mesh, rows)
  objective = cls(**config.objective_options)
  return Built(objective, trunk, mesh, adaptation, stretch)


def _require_consistent(config: Config) -> None:
  """Raises UsageError where options contradict each other."""
  if config.patience and config.eval != "all":
    raise UsageError(
      f"--patience={config.patience}: needs what is measured on the way, which"
      f" --eval={config.eval} leaves out"
    )
  if config.batch_size % config.accumulate:
    raise UsageError(
      f"--accumulate={config.accumulate}: must divide"
      f" --batch_size={config.batch_size}"
    )


def _stretch(config: Config) -> bool:
  """Returns whether learned positions are interpolated for longer rows."""
  if config.positions == "own":
    return False
  flag = f"--positions={config.positions}"
  if not config.model:
    raise UsageError(f"{flag}: needs --model, whose positions are interpolated")
  if config.adapt:
    raise UsageError(
      f"{flag}: not with --adapt.method={config.adapt[METHOD]}, which holds"
      " the model's positions fixed"
    )
  return True


def _adaptation(config: Config, trunk: Trunk) -> Adaptation | None:
  """The adaptation, checked; None without one."""
  if not config.adapt:
    return None
  fields = dict(config.adapt)
  name = fields.pop(METHOD)
  cls = adaptation_class(name)
  flag = f"--adapt.method={name}"
  if not config.model:
    raise UsageError(f"{flag}: needs --model, whose parameters are held fixed")
  adaptation = cls(**fields)
  check_ranges(adaptation, "adapt.")
  adaptation.check(trunk)
  return adaptation


def flat(config: Config) -> dict[str, Any]:
  """The options by their flags' paths, defaults written out."""
  return given(resolve(config))


def given(config: Config) -> dict[str, Any]:
  """The options by their flags' paths, as the configuration has them."""
  tree = dataclasses.asdict(config)
  return {
    path.replace("objective_options.", "objective.").replace(
      "seeds.", "seed."
    ): value
    for path, value in flatten(tree)
  }


def _trunk(config: Config, architecture: Architecture) -> Trunk:
  return trunk_lib.make(config.size, config.trunk, architecture, config.dtype)
