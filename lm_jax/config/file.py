"""config.json: a configuration as a file, read with all values checked."""

from __future__ import annotations

import dataclasses
import json
import pathlib
from typing import Any

from lm_jax.config import phase_text
from lm_jax.config.named_options import (
  adaptation_class,
  adaptation_schema,
  objective_schema,
  require_option,
  schema,
  versioned,
)
from lm_jax.config.optimizer import OptimizerOptions
from lm_jax.config.run import METHOD, VOCABULARY, Config, flatten
from lm_jax.data.options import DataOptions
from lm_jax.support import registry, strict_json
from lm_jax.support.errors import UsageError, short
from lm_jax.support.options import Option, options
from lm_jax.types import Head


def to_json(config: Config) -> str:
  """The content of config.json: what the run is, and not how it is called."""
  tree = dataclasses.asdict(config)
  del tree["allow_change"]
  return json.dumps(tree, indent=2) + "\n"


def from_json(text: str, where: str = "config.json") -> Config:
  """The configuration that `to_json` wrote.

  Keys left out are defaults, or what was done before there was the option.

  Raises:
    UsageError: not JSON, an unknown key, a value of another type.
  """
  tree = strict_json.parse(text, where)
  flat = dict(flatten(tree, where))
  heads = _heads(flat.pop("heads", {}), where)
  known = schema()
  objective = known["objective"].check(
    flat.get("objective", Config.objective), where
  )
  own = objective_schema(objective) | _adapt_schema(flat, where)
  values: dict[str, dict[str, Any]] = {}
  for path, value in flat.items():
    head, _, name = path.rpartition(".")
    if head == "objective_options":
      path = f"objective.{name}"
      require_option(objective, path, own, f"{where}: {path}")
    elif head == "seeds":
      path = f"seed.{name}"
    if path not in own | known:
      raise registry.unknown(f"{where}: key", path, known, listing=False)
    values.setdefault(head, {})[name] = (own | known)[path].check(value, where)
  for path, option_ in versioned(objective).items():
    head, _, name = path.rpartition(".")
    head = "objective_options" if head == "objective" else head
    values.setdefault(head, {}).setdefault(name, option_.absent)
  if phases := values[""]["phases"]:
    values[""]["phases"] = phase_text.with_absent(phases, where)
  return Config(
    **values.get("", {}),
    data=DataOptions(**values.get("data", {})),
    optimizer=OptimizerOptions(**values.get("optimizer", {})),
    seeds=values.get("seeds", {}),
    objective_options=values.get("objective_options", {}),
    trunk=values.get("trunk", {}),
    heads=heads,
    adapt=values.get("adapt", {}),
  )


def _adapt_schema(flat: dict[str, Any], where: str) -> dict[str, Option]:
  """The options of the adaptation that a file names; {} without one."""
  path = f"adapt.{METHOD}"
  if not any(key.startswith("adapt.") for key in flat):
    return {}
  method = Option(path, str, "", "")
  name = method.check(flat.get(path, ""), where)
  adaptation_class(name, f"{where}: {path}")
  return {path: method} | adaptation_schema(name)


def read(directory: str, flag: str = "--model") -> Config:
  """Reads the configuration of a run directory, or raises UsageError."""
  path = find(directory, flag)
  return from_json(strict_json.text_of(path), str(path))


def find(directory: str, flag: str = "--model") -> pathlib.Path:
  """Returns where a run's config.json is, or raises UsageError."""
  path = pathlib.Path(directory, "config.json")
  try:
    path.stat()
  except OSError as error:
    message = f"{flag}={directory}: not a run directory: {path.name}"
    hint = ""
    if not path.parent.exists():
      # The hub's names look like directories.
      hint = "; a model of the Hugging Face hub has to be downloaded first"
    raise UsageError(f"{message}: {error.strerror}{hint}") from None
  return path


def _heads(tree: Any, where: str) -> dict[str, Any]:
  """The heads of an imported model: fields of Head by name."""
  if not isinstance(tree, dict):
    raise UsageError(f"{where}: heads={short(tree)}: must be an object")
  known = options(Head)
  heads: dict[str, Any] = {}
  for head, fields in tree.items():
    name = f"{where}: heads.{head}"
    # The vocabulary is no Head.
    if not isinstance(fields, dict) or ("size" in fields) == (
      head == VOCABULARY
    ):
      raise UsageError(
        f"{name}={short(fields)}: must be an object with a size, or {{}} for "
        f"the {VOCABULARY}"
      )
    for field in fields:
      if field not in known:
        raise registry.unknown(name, field, known)
    heads[head] = {
      field: known[field].check(value, name) for field, value in fields.items()
    }
    if fields and heads[head]["size"] < 0:
      raise UsageError(f"{name}.size={fields['size']}: must be 0 or more")
  return heads
