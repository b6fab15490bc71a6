"""Models read from the directory of a run, or of Hugging Face Transformers."""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import flax.linen as nn
import jax

from lm_jax import config as config_lib
from lm_jax.config import Config
from lm_jax.config import phases as phases_lib
from lm_jax.data.tokenizer import Tokenizer
from lm_jax.data.word_facts import rules
from lm_jax.devices import sharding
from lm_jax.hugging_face import pretrained
from lm_jax.hugging_face.model import abstract
from lm_jax.inference.directory import ModelDirectory
from lm_jax.loaded_model import TOKENIZER, VOCABULARY, Trained, outputs_of
from lm_jax.models.network import Network
from lm_jax.storage import checkpoint, identity
from lm_jax.storage.digest import digest
from lm_jax.storage.selection import Selection
from lm_jax.support.errors import UsageError
from lm_jax.training import frozen
from lm_jax.training.assemble import enable_compilation_cache, make_plan
from lm_jax.training.plan import Plan, parameter_shapes
from lm_jax.types import Head, Spec, Specials

# Under which a checkpoint's stamp has the digest of the model that is adapted.
MODEL = "model"


def from_plan(
  config: Config, tokenizer: Tokenizer, plan: Plan, params: Any
) -> Trained:
  """Makes the model that a plan trains, with its parameters."""
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


def load(
  directory: str | ModelDirectory, flag: str = "--model", objective: str = ""
) -> Trained:
  """Loads a run's last intact checkpoint, or a Hugging Face directory.

  The model that a run adapts is read, too. A run of several phases has the
  objective, the architecture and the parameters of the last one, unless another
  is asked for.

  Args:
    directory: of a run, finished or not, or of Hugging Face Transformers; it
      is only read.
    flag: names the directory in messages.
    objective: by which it is read; "" for the run's own.

  Raises:
    UsageError: neither of them, or it cannot be read; or the model that it
      adapts is gone, or another by now; or it was not trained by `objective`.
  """
  source = directory
  if isinstance(source, str):
    source = ModelDirectory(source, flag, objective)
  model, plan = _whole(source)
  return _of_phase(model, plan, source)


def load_whole(directory: str) -> Trained:
  """Loads a model with the parameters of all its phases; else like `load`."""
  return _whole(ModelDirectory(directory))[0]


def _of_phase(
  model: Trained, plan: Plan | None, source: ModelDirectory
) -> Trained:
  """The model as it is read by the objective of one of its phases."""
  number = phases_lib.number(
    model.config,
    source.objective,
    f"--as={source.objective}: {source.flag}={source.path}",
  )
  if plan is None or not plan.phases:
    return model
  config, own = model.config, plan.phases[number]
  if number < len(plan.phases) - 1:
    config = phases_lib.configs(config)[number]
    # Its table of positions is that of the phase with the longest rows.
    trunk = config.trunk | {"max_positions": own.main.max_positions}
    config = dataclasses.replace(config, trunk=trunk)
  assert model.tokenizer is not None
  params = frozen.select_leaves(
    model.params, nn.meta.unbox(parameter_shapes(own))
  )
  read = from_plan(config, model.tokenizer, own, params)
  return dataclasses.replace(
    read, source=model.source, base=model.base, name=model.name
  )


def _whole(source: ModelDirectory) -> tuple[Trained, Plan | None]:
  """A model with all parameters, and the plan of its training, if any."""
  directory, flag = source.path, source.flag
  if source.is_hugging_face:
    return _load_foreign(source), None
  config, tokenizer = read_run(source)
  enable_compilation_cache(config.data.cache)
  place = Path(directory, "checkpoints")
  specials = None
  if config.family:
    specials = pretrained.specials(directory, flag)
  elif tokenizer is None:
    raise UsageError(f"{flag}={directory}: has no {TOKENIZER}")
  model, plan = planned(config, tokenizer, specials)
  with checkpoint.Checkpoints(place, read_only=True) as checkpoints:
    step = _chosen(checkpoints) if config.task else None
    if config.adapt:
      model = _adapted(model, plan, checkpoints, step, source)
    else:
      wanted = functools.partial(_wanted, model, plan)
      params, _ = _restored(checkpoints, wanted, step, source)
      model = dataclasses.replace(model, params=params)
  return _named(model, source), plan


def _restored(
  checkpoints: checkpoint.Checkpoints,
  wanted: Any,
  step: int | None,
  source: ModelDirectory,
) -> tuple[Any, dict[str, Any]]:
  """The parameters of a step and its meta, or UsageError."""
  restored = checkpoints.restore_params(wanted, step)
  if restored is None:
    raise UsageError(f"{source.flag}={source.path}: has no checkpoint to read")
  return restored


def _adapted(
  model: Trained,
  plan: Plan | None,
  checkpoints: checkpoint.Checkpoints,
  step: int | None,
  source: ModelDirectory,
) -> Trained:
  """A model whose checkpoint has a part of its parameters, with the others."""
  name = f"{source.flag}={source.path}"
  adaptation = model.network.adaptation
  own, held = frozen.split(_shapes(model, plan), adaptation.trains)
  params, meta = _restored(checkpoints, own, step, source)
  base = read_base(model.config, name)
  stored = meta.get("data", {}).get(MODEL)
  if base.digest != stored:
    raise UsageError(
      f"{name}: adapts {model.config.model}, whose parameters are no longer the"
      f" same (digest {base.digest[:12]}, and {stored!s:.12} when it was"
      " trained)"
    )
  fixed = sharding.place_arrays(
    frozen.select_leaves(base.model.params, held),
    jax.tree.map(lambda leaf: leaf.sharding, held),
  )
  return dataclasses.replace(
    model, params=frozen.join(params, fixed), base=base.digest
  )


def _wanted(
  model: Trained,
  plan: Plan | None,
  meta: Mapping[str, Any],
  stored: checkpoint.Stored,
) -> Any:
  """The parameters that a step should have: shapes, dtypes and places.

  Where the step is of the very run they are what it stored, which tracing
  would tell, too, and takes longer than all else.
  """
  if jax.device_count() == 1 and _is_of(meta, model.config):
    return _nested(stored)
  return _shapes(model, plan)


def _shapes(model: Trained, plan: Plan | None) -> Any:
  """All parameters of a model as its network traces them, with their places."""
  boxed = boxed_shapes(model, plan)
  mesh = plan.mesh if plan else sharding.make_mesh()
  return jax.tree.map(
    lambda leaf, place: jax.ShapeDtypeStruct(
      leaf.shape, leaf.dtype, sharding=place
    ),
    nn.meta.unbox(boxed),
    sharding.parameters(mesh, boxed),
  )


def planned(
  config: Config, tokenizer: Tokenizer | None, specials: Specials | None
) -> tuple[Trained, Plan | None]:
  """A run's model, without its parameters, and the plan of its training.

  An imported run has no plan, and may have no tokenizer but `specials`.
  """
  if config.family:
    assert specials is not None
    return imported(config, tokenizer, specials), None
  assert tokenizer is not None
  plan = make_plan(config, tokenizer)
  return from_plan(config, tokenizer, plan, None), plan


def _is_of(meta: Mapping[str, Any], config: Config) -> bool:
  """Returns whether a checkpoint was saved by a run of this configuration."""
  if "config" not in meta:
    return False  # An import has none.
  saved = config_lib.from_json(json.dumps(meta["config"]), "its checkpoint")
  return not identity.changes(saved, config)


def _nested(stored: checkpoint.Stored) -> dict[str, Any]:
  """The shapes of arrays by dotted paths as a tree, on the one device."""
  place = sharding.replicated(sharding.make_mesh())
  tree: dict[str, Any] = {}
  for name, (shape, dtype) in stored.items():
    *folders, last = name.split(".")
    branch = tree
    for folder in folders:
      branch = branch.setdefault(folder, {})
    branch[last] = jax.ShapeDtypeStruct(shape, dtype, sharding=place)
  return tree


def boxed_shapes(model: Trained, plan: Plan | None) -> Any:
  """The shapes of a model's parameters, boxed; plan: of its run, if any."""
  if plan is not None:
    return parameter_shapes(plan)
  network = model.network.clone(deterministic=True)
  return abstract(network, tuple(model.outputs))


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
      require_whole(config_lib.read(config.model), config.model)
    model = load_whole(config.model)
  except UsageError as error:
    raise UsageError(
      f"{what}: adapts {config.model}, which can't be read: {error}"
    ) from None
  return Base(model, digest(model.params))


def require_whole(config: Config, directory: str) -> None:
  """Raises UsageError if a run holds a part of a model only."""
  if config.adapt:
    raise UsageError(
      f"--model={directory}: is itself adapted, by"
      f" {config.adapt[config_lib.METHOD]}; `export` may merge that into a"
      " Hugging Face directory to go on from"
    )


def read_run(source: ModelDirectory) -> tuple[Config, Tokenizer | None]:
  """A run's configuration and tokenizer; an imported one may have none."""
  directory, flag, config = source.path, source.flag, source.config
  # Where the devices were others, the parameters are laid out anew.
  config = dataclasses.replace(config, mesh="")
  path = Path(directory, TOKENIZER)
  if not path.exists():
    if config.family:
      return config, None
    raise UsageError(f"{flag}={directory}: has no {TOKENIZER}")
  # A specials.json beside it tells better; older runs have none.
  specials = Specials(sentinels=config.data.sentinels)
  return config, Tokenizer(path, specials, rules=rules(config.data))


def imported(
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


def _load_foreign(source: ModelDirectory) -> Trained:
  directory, flag = source.path, source.flag
  foreign = pretrained.read(directory, flag)
  enable_compilation_cache(foreign.config.data.cache)
  specials = pretrained.specials(directory, flag)
  model = imported(foreign.config, foreign.tokenizer, specials)
  params = pretrained.parameters(foreign)
  return _named(dataclasses.replace(model, params=params), source)


def _named(model: Trained, source: ModelDirectory) -> Trained:
  """The model with the place that it came from."""
  name = f"{source.flag}={source.path}"
  return dataclasses.replace(model, source=source.path, name=name)
