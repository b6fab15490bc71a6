"""Models of run directories, to be used or to be trained further."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any, NamedTuple

import jax

from lm_jax import checkpoint
from lm_jax import config as config_lib
from lm_jax.assemble import enable_compilation_cache, make_program
from lm_jax.config import Config
from lm_jax.data.tokenizer import Tokenizer
from lm_jax.digest import flatten
from lm_jax.program import Program
from lm_jax.types import Specials, Trunk, UsageError

TOKENIZER = "tokenizer.json"
# Options of a trunk that may change when training goes on.
_FREE = {"dropout", "attention_dropout", "remat", "dtype", "attention"}


class Trained(NamedTuple):
  """A model: its run's configuration, tokenizer, program and parameters."""

  config: Config
  tokenizer: Tokenizer
  program: Program
  params: Any


def load(directory: str, flag: str = "--model") -> Trained:
  """The model of a run directory, as its last whole checkpoint has it.

  Args:
    directory: of a run, finished or not; it is only read.
    flag: names the directory in messages.

  Raises:
    UsageError: not a run directory, or no checkpoint of it can be read.
  """
  config, tokenizer = _read(directory, flag)
  enable_compilation_cache(config.data.cache)
  program = make_program(config, tokenizer)
  place = Path(directory, "checkpoints")
  with checkpoint.Checkpoints(place, read_only=True) as checkpoints:
    restored = checkpoints.restore(program.abstract_state())
  if restored is None:
    raise UsageError(f"{flag}={directory}: has no checkpoint to read")
  return Trained(config, tokenizer, program, restored[0].params)


def check(config: Config) -> None:
  """Raises UsageError unless `config` can go on from config.model.

  The networks must agree, and all parameters in name and shape. What was
  trained before may have had another objective, optimizer or length.
  """
  base, tokenizer = _read(config.model, "--model")
  theirs = config_lib.build(base).trunk
  mine = config_lib.build(config).trunk
  for field in dataclasses.fields(Trunk):
    old, new = getattr(theirs, field.name), getattr(mine, field.name)
    if field.name not in _FREE and old != new:
      name = field.name
      flag = "--architecture" if name == "architecture" else f"--trunk.{name}"
      raise UsageError(
        f"{flag}={new}: --model={config.model} has {old} and can't change it"
      )
  old_shapes, new_shapes = (
    {
      name: leaf.shape
      for name, leaf in flatten(
        make_program(each, tokenizer).abstract.params
      ).items()
    }
    for each in (base, config)
  )
  for name in sorted({*old_shapes, *new_shapes}):
    old, new = old_shapes.get(name), new_shapes.get(name)
    if old != new:
      raise UsageError(
        f"--model={config.model}: its parameters, of --objective="
        f"{base.objective} and --length={base.length}, are not those of this "
        f"run ({config.objective}, {config.length}): {name} is "
        f"{old or 'absent'} and must be {new or 'absent'}"
      )


def params_for(config: Config, tokenizer: Tokenizer, program: Program) -> Any:
  """The parameters of config.model, in the places of `program`.

  Raises:
    UsageError: they can't be read, or belong to other tokens.
  """
  model = load(config.model)
  if model.tokenizer.fingerprint != tokenizer.fingerprint:
    raise UsageError(
      f"--data.tokenizer={config.data.tokenizer}: gives other tokens here than "
      f"those of --model={config.model}; "
      f"{Path(config.model, TOKENIZER)} gives the same"
    )
  return jax.device_put(model.params, program.shardings.params)


def _read(directory: str, flag: str) -> tuple[Config, Tokenizer]:
  if _is_hugging_face(directory):
    raise UsageError(
      f"{flag}={directory}: is a Hugging Face directory; valid is the "
      "directory of a run"
    )
  config = config_lib.read(directory, flag)
  path = Path(directory, TOKENIZER)
  if not path.exists():
    raise UsageError(f"{flag}={directory}: has no {TOKENIZER}")
  specials = Specials(sentinels=config.data.sentinels)
  # Where the devices were others, the parameters are laid out anew.
  config = dataclasses.replace(config, mesh="")
  return config, Tokenizer(path, specials)


def _is_hugging_face(directory: str) -> bool:
  try:
    content = json.loads(Path(directory, "config.json").read_text("utf-8"))
  except (OSError, ValueError):
    return False  # and not a run directory either, which is said later
  return isinstance(content, dict) and bool(
    {"model_type", "architectures"} & set(content)
  )
