"""What a run is: the configuration, its file, and the parts it names.

A `Config` says what was asked for: a field left alone stays "the default",
so that another size or objective may still be put under it. `resolve` writes
every default out; that is what config.json holds and what is compared.
"""

from __future__ import annotations

import dataclasses
import functools
import pathlib
from collections.abc import Iterable
from typing import Any, Literal

from lm_jax.adaptation.base import Adaptation
from lm_jax.config import mesh as mesh_lib
from lm_jax.config import trunk as trunk_lib
from lm_jax.config.budget import Budget
from lm_jax.config.optimizer import END, START, OptimizerOptions
from lm_jax.data.options import DataOptions
from lm_jax.models import sizes
from lm_jax.objectives.base import Objective
from lm_jax.support import invocation, registry
from lm_jax.support.errors import UsageError, short
from lm_jax.support.options import Option, check_ranges, option, options
from lm_jax.types import ARCHITECTURES, Architecture, Trunk

VOCABULARY = "vocabulary"  # no Head, in `Config.heads`
OBJECTIVES = "lm_jax.objectives"
ADAPTATIONS = "lm_jax.adaptation"
METHOD = "method"  # names the adaptation, in `Config.adapt`


@dataclasses.dataclass(frozen=True)
class Config:
  """One run; its fields are flags.

  objective_options: the objective's own fields, by name.
  family: of an imported model: `list families`.
  heads: of an imported model, what it has in place of the objective's own
    heads: fields of Head by name, and {} for the vocabulary.
  trunk: fields of Trunk that differ from the size's, by name, and "preset".
  adapt: how the model is adapted: "method" (`list adaptations`) and that one's
    own fields, by name; {} trains all parameters.
  name, arm: where the run stands in an experiment.
  """

  objective: str = option("clm", "what is trained: `list objectives`")
  architecture: Literal[
    "", "encoder", "causal_decoder", "prefix_decoder", "encoder_decoder"
  ] = option("", "unless given, the preset's or the objective's natural one")
  size: str = option("tiny", "the trunk's shape: `list sizes`")
  length: int = option(128, "tokens a row", least=16)
  curriculum: str = option(
    "",
    "shorter rows first: 0.7:128,0.9:256 are shares of the budget and lengths",
  )
  batch_size: int = option(32, "rows a step", least=1)
  accumulate: int = option(1, "parts that a batch is computed in", least=1)
  seed: int = option(
    0, "of the parameters, the order and the corruption", least=0
  )
  budget: str = option(
    "flops:3e12",
    "flops:, positions: or steps: and a number, which is not exceeded; or"
    " tokens:, targets: or seconds:, which end with the step that reaches it",
  )
  task: str = option("", "what it is fine-tuned for: `list tasks`")
  task_data: str = option(
    "", "local files of the task's examples; by default TFDS has them"
  )
  train_examples: int = option(
    0, "so many of the examples for training, drawn at random; 0: all", least=0
  )
  patience: int = option(
    0,
    "evaluations in a row without a better one that end the run; 0: none do",
    least=0,
    group="evaluation",
  )
  model: str = option(
    "",
    "run or Hugging Face directory whose model is trained further; what is not"
    " given is as that has it",
  )
  positions: Literal["own", "interpolate"] = option(
    "own",
    "what rows do that are longer than --model has learned positions: its own"
    " refuse them; or they are interpolated, evenly between the first and last",
    absent="own",
  )
  checkpoint_every: int = option(
    200,
    "steps between checkpoints; 0: at the end and when interrupted",
    least=0,
    group="checkpoints",
  )
  keep_last: int = option(
    2, "how many of the last checkpoints are kept", least=1, group="checkpoints"
  )
  keep_every: int = option(
    0,
    "checkpoints of every so many steps are kept, too; 0: none",
    least=0,
    group="checkpoints",
  )
  eval_every: int = option(
    0,
    "steps between evaluations; 0: at five points of the budget",
    least=0,
    group="evaluation",
  )
  eval: Literal["all", "final", "loss", "none"] = option(
    "all",
    "what is measured: all, on the way and at the end; final, at the end only;"
    " loss, the validation loss only; none. It changes no parameter",
    group="evaluation",
  )
  log_every: int = option(
    10,
    "steps between lines of metrics.jsonl, and of what is shown",
    least=1,
    group="evaluation",
  )
  skip_limit: int = option(
    10,
    "steps in a row whose loss or gradient is not finite, which are skipped,"
    " that end the run as diverged",
    least=1,
    group="checkpoints",
  )
  allow_change: tuple[str, ...] = option(
    (),
    "what of the run in --workdir may be changed, as flags or their groups:"
    " optimizer.learning_rate,data",
    group="checkpoints",
  )
  dtype: Literal["float32", "bfloat16"] = option(
    "float32", "of the computation; parameters, softmax and loss are float32"
  )
  mesh: str = option(
    "", "devices by axis, data=4,fsdp=1,tensor=2; all on data unless given"
  )
  workdir: str = option("", "where the run is kept; under runs/ unless given")
  name: str = ""
  arm: str = ""
  family: str = ""
  data: DataOptions = dataclasses.field(default_factory=DataOptions)
  optimizer: OptimizerOptions = dataclasses.field(
    default_factory=OptimizerOptions
  )
  objective_options: dict[str, Any] = dataclasses.field(default_factory=dict)
  trunk: dict[str, Any] = dataclasses.field(default_factory=dict)
  heads: dict[str, Any] = dataclasses.field(default_factory=dict)
  adapt: dict[str, Any] = dataclasses.field(default_factory=dict)

  @functools.cached_property
  def _resolved(self) -> Config:
    return _resolve(self)

  @functools.cached_property
  def _built(self) -> Built:
    return _build(self)


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


def schema() -> dict[str, Option]:
  """All options but the objective's own, by path."""
  return options(Config) | trunk_lib.schema()


def objective_class(name: str) -> type[Objective]:
  """The objective of that name, or UsageError."""
  return registry.find(OBJECTIVES, name, Objective, "--objective")


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
  found = schema() | objective_schema(objective)
  return {path: o for path, o in found.items() if o.absent is not None}


def is_open(config: Config, path: str) -> bool:
  """Is it left to the run, what a `versioned` option is?"""
  head, _, name = path.rpartition(".")
  if head == "objective":
    return name not in config.objective_options
  return bool(head) and getattr(getattr(config, head), name) == ""


def require_option(
  owner: str, path: str, valid: Iterable[str], where: str
) -> None:
  """Raises UsageError if an objective, or adaptation, has no such option.

  Args:
    owner: its name.
    path: "objective.rate".
    valid: the paths that it has.
    where: what is wrong, for the message.
  """
  if path not in valid:
    close = registry.nearest(path, valid)
    hint = f"; did you mean {close[0]}?" if close else "."
    names = ", ".join(map(_last, valid))
    raise UsageError(
      f"{where}: {owner} has no such option{hint} It has: {names or 'none'}"
    )


def resolve(config: Config) -> Config:
  """Writes every default out; idempotent, and done once a configuration.

  Raises:
    UsageError: a name is unknown, or an option's value impossible.
  """
  return config._resolved


def _resolve(config: Config) -> Config:
  config = with_packing(config)
  cls = objective_class(config.objective)
  own = {_last(o.path): o.default for o in options(cls).values()}
  architecture = _architecture(config, cls)
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
  resolved = dataclasses.replace(
    config,
    model=model,
    adapt=adapt,
    data=data,
    architecture=architecture,
    optimizer=optimizer,
    budget=str(Budget.parse(config.budget)),
    objective_options=own | config.objective_options,
    trunk=shape,
  )
  resolved.__dict__["_resolved"] = resolved
  return resolved


def needs_documents(config: Config) -> str:
  """The flag of what needs rows of one document each; "" where nothing does."""
  if objective_class(config.objective).needs_documents:
    return f"--objective={config.objective}"
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
  return config._built


def _build(config: Config) -> Built:
  cls = objective_class(config.objective)
  architecture = _architecture(config, cls)
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
  _require_consistent(config)
  Budget.parse(config.budget)
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
  """Are the model's learned positions interpolated where rows are longer?"""
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
  adaptation.check(trunk)
  return adaptation


def flat(config: Config) -> dict[str, Any]:
  """The options by their flags' paths, defaults written out."""
  return given(resolve(config))


def given(config: Config) -> dict[str, Any]:
  """The options by their flags' paths, as the configuration has them."""
  tree = dataclasses.asdict(config)
  return {
    path.replace("objective_options.", "objective."): value
    for path, value in flatten(tree)
  }


def _architecture(config: Config, cls: type[Objective]) -> Architecture:
  """Returns the architecture asked for, or else the preset's, if that fits."""
  if config.architecture:
    return config.architecture
  published = sizes.PUBLISHED_AS.get(config.trunk.get("preset", ""))
  return published if published in cls.architectures else cls.natural


def _last(path: str) -> str:
  return path.rpartition(".")[2]


def _trunk(config: Config, architecture: Architecture) -> Trunk:
  return trunk_lib.make(config.size, config.trunk, architecture, config.dtype)


def flatten(tree: Any, where: str = "") -> Iterable[tuple[str, Any]]:
  """Yields the options of a tree of groups by path: ("data.corpus", ...)."""
  groups = ("data", "optimizer", "objective_options", "trunk", "adapt")
  if not isinstance(tree, dict):
    raise UsageError(f"{where}: must hold a JSON object")
  for key, value in tree.items():
    if "." in key:  # else one option could be there twice
      raise UsageError(f"{where}: key={short(key)}: must have no dot")
    if key not in groups:
      yield key, value
      continue
    if not isinstance(value, dict):
      raise UsageError(f"{where}: {key}={short(value)}: must be an object")
    for name, leaf in value.items():
      yield f"{key}.{name}", leaf
