"""Training that goes on from another model: does it fit, and what is taken."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection
from pathlib import Path
from typing import Any

import jax
import numpy as np
from absl import logging

from lm_jax import config as config_lib
from lm_jax.adaptation.base import is_own
from lm_jax.config import Config
from lm_jax.config import phases as phases_lib
from lm_jax.config import trunk as trunk_lib
from lm_jax.data.tokenizer import Tokenizer
from lm_jax.devices import sharding
from lm_jax.hugging_face import pretrained
from lm_jax.inference.describe import describe, tokenizer_of
from lm_jax.inference.load import load_whole, require_whole
from lm_jax.loaded_model import TOKENIZER, Trained
from lm_jax.objectives.base import Objective
from lm_jax.storage.digest import flatten
from lm_jax.support.errors import UsageError
from lm_jax.training.assemble import (
  Vocabulary,
  longest_stream,
  make_program,
  max_positions,
)
from lm_jax.training.program import Program
from lm_jax.types import Spec, Trunk

# What an objective has besides the stack; it may start anew on a model that
# was trained by another.
_OUTPUTS = ("output_", "heads_", "stack_")
_STACK = "stack_main"
# Tables of learned positions, of either stack.
_POSITIONS = "position_embedding"


def check(config: Config) -> None:
  """Raises UsageError unless `config` can go on from config.model.

  The networks must agree, and all parameters that both have, in shape. What
  was trained before may have had another objective, optimizer or length; what
  that objective has no use for is left out.
  """
  base, tokenizer, old_shapes = describe(config.model)
  require_whole(base, config.model)
  theirs = config_lib.build(base).trunk
  mine = config_lib.build(config).trunk
  # Of tables of positions their shapes tell, below.
  free = trunk_lib.FREE | {"dtype", "max_positions"}
  for field in dataclasses.fields(Trunk):
    old, new = getattr(theirs, field.name), getattr(mine, field.name)
    if field.name not in free and old != new:
      name = field.name
      if name == "architecture" and "encoder_decoder" not in (old, new):
        continue  # Visibility apart it is the same stack.
      flag = "--architecture" if name == "architecture" else f"--trunk.{name}"
      raise UsageError(
        f"{flag}={new}: --model={config.model} has {old} and can't change it"
      )
  program = make_program(config, tokenizer)
  adaptation = program.plan.network.adaptation
  if adaptation is not None and not program.parameters:
    raise UsageError(
      f"--adapt.method={adaptation.name}: trains the heads of an objective, and"
      f" {config.objective} has none; another of `list adaptations` would"
    )
  for name, leaf in flatten(program.shapes).items():
    old, new = old_shapes.get(name), leaf.shape
    fresh = _is_output(name)
    if adaptation is not None and old is None:
      fresh = adaptation.trains(name)
      if not fresh and _is_output(name):
        raise UsageError(
          f"--adapt.method={adaptation.name}: holds {name} fixed, which"
          f" --model={config.model}, of --objective={base.objective}, lacks and"
          f" --objective={config.objective} needs"
        )
    if _stretched(config, name, old, new):
      continue
    if old != new and not (old is None and fresh):
      raise UsageError(
        f"--model={config.model}: its parameters, of --objective="
        f"{base.objective} and --length={base.length}, are not those of this "
        f"run ({config.objective}, {config.length}): {name} is "
        f"{old or 'absent'} and must be {new}"
      )


def _is_output(name: str) -> bool:
  return name.startswith(_OUTPUTS) and not name.startswith(_STACK)


def params_for(
  config: Config,
  tokenizer: Tokenizer,
  program: Program,
  model: Trained | None = None,
) -> Any:
  """Takes the parameters that `program` trains from config.model.

  Those of outputs that the model lacks start anew, which is logged; so do an
  adaptation's own.

  Args:
    config, tokenizer, program: of the run.
    model: config.model, if it was read before.

  Raises:
    UsageError: they can't be read, or belong to other tokens.
  """
  model = model or load_whole(config.model)
  if model.tokenizer is None or (
    model.tokenizer.fingerprint != tokenizer.fingerprint
  ):
    raise UsageError(
      f"--data.tokenizer={config.data.tokenizer}: gives other tokens here than "
      f"those of --model={config.model}; "
      f"{Path(config.model, TOKENIZER)} gives the same"
    )
  if line := _other_visibility(config, model):
    logging.warning("%s", line)
  old = flatten(model.params)
  wanted = flatten(program.abstract.params)
  old |= _starts(program.plan.objective, old, wanted)
  offset = dict(program.plan.network.trunks)["main"].position_offset
  old |= {
    name: _interpolated(old[name], leaf.shape[0], offset)
    for name, leaf in wanted.items()
    if name in old and _stretched(config, name, old[name].shape, leaf.shape)
  }
  fresh = sorted(set(wanted) - set(old))
  untold = [name for name in fresh if not is_own(name)]
  if untold:
    logging.warning(
      "%s has no %s%s: starts anew",
      config.model,
      untold[0],
      f" and {len(untold) - 1} more" if len(untold) > 1 else "",
    )
  if fresh:
    seed = config_lib.seeds_of(config).parameters
    start = flatten(program.initial(np.uint32(seed)).params)
    new = {name: start[name] for name in fresh}
    adaptation = program.plan.network.adaptation
    if adaptation is not None:
      rng = np.random.default_rng(seed)
      spec = program.plan.spec
      new = adaptation.start(new, old, spec, rng, tokenizer.encode)
    old |= new
  treedef = jax.tree.structure(program.abstract.params)
  params = jax.tree.unflatten(treedef, [old[name] for name in wanted])
  return sharding.place_arrays(params, program.shardings.params)


def _other_visibility(config: Config, model: Trained) -> str:
  """Says if each token sees others of the text than in the model's training.

  As in LLM2Vec (BehnamGhader et al. 2024), which turns a causal decoder into an
  encoder by masked prediction.
  """
  old = {
    config_lib.build(one).trunk.architecture
    for one in phases_lib.configs(model.config)
  }
  new = config_lib.build(config).trunk.architecture
  if new in old:
    return ""
  return (
    f"--model={config.model} was trained by"
    f" {' and '.join(phases_lib.objectives(model.config))} as"
    f" {' and '.join(sorted(old))}; goes on by {config.objective} as {new}:"
    " its tokens see others than before"
  )


def _stretched(
  config: Config, name: str, old: Any, new: tuple[int, ...]
) -> bool:
  """Returns whether `--positions=interpolate` makes this table longer."""
  table = config.positions == "interpolate" and name.endswith(_POSITIONS)
  return table and old is not None and old[1:] == new[1:] and old[0] < new[0]


def _interpolated(table_PxE: Any, rows: int, offset: int) -> np.ndarray:
  """A table of positions stretched to `rows`, linearly between its own.

  The first and the last position keep their vectors, and so do the `offset`
  rows before the first one.
  """
  table_PxE = np.asarray(table_PxE)
  own_PxE = table_PxE[offset:]
  at_N = np.linspace(0, len(own_PxE) - 1, rows - offset)
  below_N = np.minimum(at_N.astype(int), max(len(own_PxE) - 2, 0))
  above_N = np.minimum(below_N + 1, len(own_PxE) - 1)
  part_Nx1 = (at_N - below_N)[:, None]
  new_NxE = own_PxE[below_N] * (1 - part_Nx1) + own_PxE[above_N] * part_Nx1
  return np.concatenate([table_PxE[:offset], new_NxE]).astype(table_PxE.dtype)


def _starts(objective: Objective, old: Any, wanted: Any) -> dict[str, Any]:
  """Parameters of other outputs that those of an objective start from."""
  starts = {}
  for mine, theirs in objective.starts_from.items():
    for name, leaf in wanted.items():
      source = theirs + name.removeprefix(mine)
      fresh = name.startswith(f"{mine}.") and name not in old
      if fresh and source in old and old[source].shape == leaf.shape:
        starts[name] = old[source]
  return starts


def fitting(config: Config, vocabulary: Vocabulary) -> Config:
  """The configuration with rows that its trunk has positions for."""
  built = config_lib.build(config)
  size, specials = vocabulary.vocabulary_size, vocabulary.specials
  spec = Spec(built.trunk.architecture, config.length, size, specials)
  limit = built.trunk.max_positions
  if built.trunk.positions != "learned" or not limit:
    return config
  spare = limit - longest_stream(built, spec)
  return dataclasses.replace(config, length=config.length + min(spare, 0))


def with_positions(config: Config, vocabulary: Vocabulary) -> Config:
  """The configuration of a run with the size of its table of positions.

  So a run on it may read rows of another length.
  """
  built = config_lib.build(config)
  if built.trunk.positions != "learned":
    return config
  if built.trunk.max_positions and not built.stretch:
    return config
  size, specials = vocabulary.vocabulary_size, vocabulary.specials
  streams = []
  for one in phases_lib.configs(config):
    own = config_lib.build(one)
    spec = Spec(own.trunk.architecture, config.length, size, specials)
    streams.append(longest_stream(own, spec))
  longest = max(streams)
  positions = {"max_positions": max_positions(built, longest) or longest}
  return dataclasses.replace(config, trunk=config.trunk | positions)


# What a model's parameters and tokens are tied to.
_FIXED = ("size", "trunk.", "data.tokenizer", "data.vocabulary_size")


_FREE = tuple(f"trunk.{name}" for name in trunk_lib.FREE)


def continued(
  directory: str, given: Collection[str], objective: str = ""
) -> Config:
  """Returns the settings of a model's own run, for a further run on it.

  It keeps the model's tokenizer, whatever the corpus.

  Args:
    directory: of the run that trained it, or of Hugging Face Transformers.
    given: the paths that the user sets.
    objective: the one of the run's phases that is gone on with; "" for the
      last.

  Raises:
    UsageError: no such directory, or an option that the model fixes; or it was
      not trained by `objective`.
  """
  for path in given:
    if path.startswith(_FIXED) and path not in _FREE:
      raise UsageError(f"--{path}: --model={directory} has its own")
  if pretrained.is_directory(directory):
    foreign = pretrained.read(directory)
    config = foreign.config
    tokenizer = Path(config.data.tokenizer)
    if foreign.tokenizer is not None:
      config = fitting(config, foreign.tokenizer)
  else:
    config = config_lib.read(directory)
    tokenizer = Path(directory, "tokenizer.json")
    if config.family and tokenizer.exists():
      config = fitting(config, Tokenizer(tokenizer))
    elif not config.family and (
      config_lib.build(config).trunk.positions == "learned"
    ):
      config = with_positions(config, tokenizer_of(directory))
  number = phases_lib.number(
    config, objective, f"--as={objective}: --model={directory}"
  )
  config = phases_lib.configs(config)[number]
  # It is another run, and open again is what was not given then.
  data = dataclasses.replace(config.data, sentences="")
  # Older runs have no specials.json: theirs is made again by its recipe.
  if "data.corpus" in given or tokenizer.with_name("specials.json").exists():
    data = dataclasses.replace(data, tokenizer=str(tokenizer))
  if "data.packing" not in given and data.packing == "packed":
    data = dataclasses.replace(data, packing="")  # or what it needs now
  return dataclasses.replace(
    config,
    model=directory,
    positions="own",
    data=data,
    optimizer=dataclasses.replace(config.optimizer, rate_at=""),
    workdir="",
    name="",
    arm="",
    family="",
    branches="",
    eval="all",
    heads={},
    adapt={},
  )
