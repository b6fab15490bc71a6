"""Models to be used or to be trained further: of a run, or imported."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, cast

import flax.linen as nn
import jax
import numpy as np
from absl import logging

from lm_jax import config as config_lib
from lm_jax import trunk_options
from lm_jax.adaptation.base import is_own
from lm_jax.config import Config
from lm_jax.data.tokenizer import Tokenizer
from lm_jax.devices import sharding
from lm_jax.hugging_face import pretrained
from lm_jax.hugging_face.model import abstract
from lm_jax.models.network import Network
from lm_jax.objectives.base import Objective
from lm_jax.score import Scorer
from lm_jax.storage import checkpoint
from lm_jax.storage.digest import digest, flatten
from lm_jax.training.assemble import enable_compilation_cache, make_program
from lm_jax.training.program import Program
from lm_jax.training.selection import Selection
from lm_jax.types import Head, Spec, Specials, Trunk, UsageError

TOKENIZER = "tokenizer.json"
# Under which a checkpoint's stamp has the digest of the model that is adapted.
MODEL = "model"
VOCABULARY = "vocabulary"
# What an objective has besides the stack; it may start anew on a model that
# was trained by another.
_OUTPUTS = ("output_", "heads_", "stack_")
_STACK = "stack_main"
# Tables of learned positions, of either stack.
_POSITIONS = "position_embedding"

Shapes = dict[str, tuple[int, ...]]


class Trained(NamedTuple):
  """A model, ready to be called.

  tokenizer: None for a directory without one: it reads ids only.
  network: of the objective's stacks and heads, or of the imported heads.
  outputs: the heads by name, and "vocabulary"; the first is what `logits` is.
  source: the directory that it was read from; "" for none.
  base: digest of the parameters of the model that it adapts; "" for none.
  """

  config: Config
  tokenizer: Tokenizer | None
  objective: Objective
  network: Network
  spec: Spec
  outputs: Mapping[str, Head | None]
  params: Any
  source: str = ""
  base: str = ""

  @property
  def text_length(self) -> int:
    """The most tokens of a text that it reads: those of a row, or fewer.

    A row of several texts may be longer than the table of positions.
    """
    trunk = dict(self.network.trunks)["main"]
    if trunk.positions != "learned":
      return self.spec.length
    adaptation = self.network.adaptation
    ahead = adaptation.ahead if adaptation else 0
    return min(self.spec.length, trunk.max_positions - ahead)


def of_program(
  config: Config, tokenizer: Tokenizer, program: Program, params: Any
) -> Trained:
  """The model that a program trains."""
  plan = program.plan
  outputs = outputs_of(plan.objective, plan.network, plan.spec)
  return Trained(
    config,
    tokenizer,
    plan.objective,
    plan.network,
    plan.spec,
    outputs,
    params,
  )


def outputs_of(
  objective: Objective, network: Network, spec: Spec
) -> dict[str, Head | None]:
  """The outputs that an objective trains on its main stack, by name."""
  heads = dict(network.head_specs)
  outputs: dict[str, Head | None] = {VOCABULARY: None, **heads}
  if objective.scores_by(spec) != VOCABULARY or (
    objective.supervised and (heads or objective.headless)
  ):
    del outputs[VOCABULARY]  # The main stack has none.
  return outputs


def load(directory: str, flag: str = "--model") -> Trained:
  """The model of a run, as its last whole checkpoint has it, or of theirs.

  Where it adapts another one, that is read, too.

  Args:
    directory: of a run, finished or not, or of Hugging Face Transformers; it
      is only read.
    flag: names the directory in messages.

  Raises:
    UsageError: neither of them, or it cannot be read; or the model that it
      adapts is gone, or another by now.
  """
  if pretrained.is_directory(directory):
    return _load_foreign(directory, flag)
  config, tokenizer = _read(directory, flag)
  enable_compilation_cache(config.data.cache)
  place = Path(directory, "checkpoints")
  if config.family:
    specials = pretrained.specials(directory, flag)
    model = _imported(config, tokenizer, specials)
    boxed = abstract(_plain(model), tuple(model.outputs))
    shardings = sharding.parameters(sharding.make_mesh(), boxed)
    shapes = nn.meta.unbox(boxed)
  else:
    if tokenizer is None:
      raise UsageError(f"{flag}={directory}: has no {TOKENIZER}")
    program = make_program(config, tokenizer)
    model = of_program(config, tokenizer, program, None)
    shapes, shardings = program.abstract.params, program.shardings.params
  wanted = jax.tree.map(
    lambda leaf, place: jax.ShapeDtypeStruct(
      leaf.shape, leaf.dtype, sharding=place
    ),
    shapes,
    shardings,
  )
  with checkpoint.Checkpoints(place, read_only=True) as checkpoints:
    step = _chosen(checkpoints) if config.task else None
    restored = checkpoints.restore_params(wanted, step)
  if restored is None:
    raise UsageError(f"{flag}={directory}: has no checkpoint to read")
  params, meta = restored
  if config.adapt:
    base = read_base(config, f"{flag}={directory}")
    stored = meta.get("data", {}).get(MODEL)
    if base.digest != stored:
      raise UsageError(
        f"{flag}={directory}: adapts {config.model}, whose parameters are no"
        f" longer the same (digest {base.digest[:12]}, and {stored!s:.12} when"
        " it was trained)"
      )
    program = program.over(base.model.params)
    params, model = program.whole(params), model._replace(base=base.digest)
  return model._replace(params=params, source=directory)


def _chosen(checkpoints: checkpoint.Checkpoints) -> int | None:
  """The step that a fine-tuning run chose, if it is still there."""
  meta = checkpoints.meta() or {}
  best = Selection(0, meta.get("curve", ())).best
  return best if best in checkpoints.steps() else None


class Base(NamedTuple):
  """A model that is adapted, and the digest of its parameters."""

  model: Trained
  digest: str


def read_base(config: Config, what: str) -> Base:
  """The model that a run adapts.

  Args:
    config: with an adaptation.
    what: names the run in messages.

  Raises:
    UsageError: it can't be read, or is itself adapted.
  """
  try:
    if not pretrained.is_directory(config.model):
      _require_whole(config_lib.read(config.model), config.model)
    model = load(config.model)
  except UsageError as error:
    raise UsageError(
      f"{what}: adapts {config.model}, which can't be read: {error}"
    ) from None
  return Base(model, digest(model.params))


def _require_whole(config: Config, directory: str) -> None:
  """Raises UsageError if a run holds a part of a model only."""
  if config.adapt:
    raise UsageError(
      f"--model={directory}: is itself adapted, by"
      f" {config.adapt[config_lib.METHOD]}; `export` may merge that into a"
      " Hugging Face directory to go on from"
    )


def scorer(model: Trained) -> Scorer:
  """The model as evaluators see it."""
  return Scorer(
    model.objective,
    model.network,
    model.params,
    dataclasses.replace(model.spec, length=model.text_length),
    cast(Tokenizer, model.tokenizer),  # Without one it scores rows only.
    scoring(model),
  )


def scoring(model: Trained) -> str:
  """What its scores are; "" where it lacks the output to read them from."""
  needed = model.objective.scores_by(model.spec)
  return model.objective.scoring if needed in model.outputs else ""


def check(config: Config) -> None:
  """Raises UsageError unless `config` can go on from config.model.

  The networks must agree, and all parameters that both have, in shape. What
  was trained before may have had another objective, optimizer or length; what
  that objective has no use for is left out.
  """
  base, tokenizer, old_shapes = _describe(config.model)
  _require_whole(base, config.model)
  theirs = config_lib.build(base).trunk
  mine = config_lib.build(config).trunk
  # Of tables of positions their shapes tell, below.
  free = trunk_options.FREE | {"dtype", "max_positions"}
  for field in dataclasses.fields(Trunk):
    old, new = getattr(theirs, field.name), getattr(mine, field.name)
    if field.name not in free and old != new:
      name = field.name
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
  """What `program` trains of config.model, in its places.

  Those of outputs that the model lacks start anew, which is logged; so do an
  adaptation's own.

  Args:
    config, tokenizer, program: of the run.
    model: config.model, if it was read before.

  Raises:
    UsageError: they can't be read, or belong to other tokens.
  """
  model = model or load(config.model)
  if model.tokenizer is None or (
    model.tokenizer.fingerprint != tokenizer.fingerprint
  ):
    raise UsageError(
      f"--data.tokenizer={config.data.tokenizer}: gives other tokens here than "
      f"those of --model={config.model}; "
      f"{Path(config.model, TOKENIZER)} gives the same"
    )
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
    start = flatten(program.initial(np.uint32(config.seed)).params)
    new = {name: start[name] for name in fresh}
    adaptation = program.plan.network.adaptation
    if adaptation is not None:
      rng = np.random.default_rng(config.seed)
      spec = program.plan.spec
      new = adaptation.start(new, old, spec, rng, tokenizer.encode)
    old |= new
  treedef = jax.tree.structure(program.abstract.params)
  params = jax.tree.unflatten(treedef, [old[name] for name in wanted])
  return sharding.put(params, program.shardings.params)


def _stretched(
  config: Config, name: str, old: Any, new: tuple[int, ...]
) -> bool:
  """Is it a table of positions that `--positions=interpolate` makes longer?"""
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
  found = {}
  for mine, theirs in objective.starts_from.items():
    for name, leaf in wanted.items():
      source = theirs + name.removeprefix(mine)
      fresh = name.startswith(f"{mine}.") and name not in old
      if fresh and source in old and old[source].shape == leaf.shape:
        found[name] = old[source]
  return found


def _describe(directory: str) -> tuple[Config, Tokenizer, Shapes]:
  """A model's configuration, tokenizer, and shapes of its parameters."""
  if pretrained.is_directory(directory):
    foreign = pretrained.read(directory)
    tokenizer, shapes = foreign.tokenizer, foreign.model.shapes
    config = foreign.config
  else:
    config, tokenizer = _read(directory, "--model")
    if config.family and tokenizer is not None:
      model = _imported(config, tokenizer, tokenizer.specials)
      tree = abstract(_plain(model), tuple(model.outputs))
      shapes = {n: x.shape for n, x in flatten(nn.meta.unbox(tree)).items()}
    elif tokenizer is not None:
      params = make_program(config, tokenizer).abstract.params
      shapes = {n: x.shape for n, x in flatten(params).items()}
  if tokenizer is None:
    raise UsageError(
      f"--model={directory}: has no {TOKENIZER}, which training needs"
    )
  return config, tokenizer, shapes


def tokenizer_of(directory: str, flag: str = "--model") -> Tokenizer:
  """The tokenizer of a run that is none of an import.

  Raises:
    UsageError: the run or its tokenizer can't be read.
  """
  _, tokenizer = _read(directory, flag)
  if tokenizer is None:
    raise UsageError(f"{flag}={directory}: has no {TOKENIZER}")
  return tokenizer


def _read(directory: str, flag: str) -> tuple[Config, Tokenizer | None]:
  """A run's configuration and tokenizer; an imported one may have none."""
  config = config_lib.read(directory, flag)
  # Where the devices were others, the parameters are laid out anew.
  config = dataclasses.replace(config, mesh="")
  path = Path(directory, TOKENIZER)
  if not path.exists():
    if config.family:
      return config, None
    raise UsageError(f"{flag}={directory}: has no {TOKENIZER}")
  # A specials.json beside it tells better; older runs have none.
  return config, Tokenizer(path, Specials(sentinels=config.data.sentinels))


def _imported(
  config: Config, tokenizer: Tokenizer | None, specials: Specials
) -> Trained:
  """The model of an imported run, without its parameters.

  specials: of its config.json, where there is no tokenizer.
  """
  built = config_lib.build(config)
  specials = tokenizer.specials if tokenizer else specials
  size = tokenizer.vocabulary_size if tokenizer else built.trunk.vocabulary
  spec = Spec(built.trunk.architecture, config.length, size, specials)
  outputs = {
    name: None if name == VOCABULARY else Head(**fields)
    for name, fields in config.heads.items()
  }
  heads = {name: head for name, head in outputs.items() if head is not None}
  network = Network(
    (("main", built.trunk),), tuple(heads.items()), deterministic=False
  )
  return Trained(
    config, tokenizer, built.objective, network, spec, outputs, None
  )


def _plain(model: Trained) -> Network:
  return model.network.clone(deterministic=True)


def _load_foreign(directory: str, flag: str) -> Trained:
  foreign = pretrained.read(directory, flag)
  enable_compilation_cache(foreign.config.data.cache)
  specials = pretrained.specials(directory, flag)
  model = _imported(foreign.config, foreign.tokenizer, specials)
  params = pretrained.parameters(foreign)
  return model._replace(params=params, source=directory)
