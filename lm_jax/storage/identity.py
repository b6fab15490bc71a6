"""What makes a run the run that it is, and what of it may be changed.

Two configurations are of one run if they compute the same. A checkpoint also
carries what no flag shows: fingerprints of the text, of the tokens and of the
rows that it has read.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, Protocol

from lm_jax import config as config_lib
from lm_jax.config import Config
from lm_jax.storage.digest import sha256
from lm_jax.support import registry
from lm_jax.support.options import show

# What may differ between two calls for the same run: it does not change what
# is computed (another mesh does by rounding only).
_FREE = frozenset(
  {"workdir", "name", "arm", "eval", "log_every", "mesh", "allow_change"}
  | {
    "checkpoint_every",
    "keep_last",
    "keep_every",
    "data.cache",
    "data.workers",
  }
  # Kernels differ by rounding only.
  | {"trunk.attention"}
  # What these stand for is compared field by field instead.
  | {"size", "trunk.preset"}
)
# The fingerprints, and what a change of theirs alone means.
_DATA = {
  "model": "its parameters are others",
  "data.corpus": "its content is another",
  "data.tokenizer": "gives other tokens",
  "data.packing": "makes other rows of the same text",
}


class Change(NamedTuple):
  """A difference: a flag's path, and in words what became of it."""

  path: str
  what: str

  def __str__(self) -> str:
    return f"{self.path}: {self.what}"


class Data(Protocol):
  """A data set; it, its corpus and its tokenizer have fingerprints."""

  fingerprint: str
  corpus: Any
  tokenizer: Any


def changes(old: Config, new: Config) -> list[Change]:
  """What makes two runs different ones; [] for the same."""
  before, after = _identity(old), _identity(new)
  absent = "(none)"
  return [
    Change(
      path,
      f"{show(before.get(path, absent))} -> {show(after.get(path, absent))}",
    )
    for path in {**before, **after}
    if before.get(path, absent) != after.get(path, absent)
  ]


def adopted(config: Config, old: Config) -> Config:
  """The configuration; what it leaves open is as a run of before has it.

  A run that began before there was an option goes on without it; or before
  runs on a model kept the size of its table of positions, which was that of
  their rows.
  """
  own = dict(config.objective_options)
  for path in config_lib.versioned(config.objective):
    head, _, name = path.rpartition(".")
    if not config_lib.is_open(config, path):
      continue
    if head != "objective":
      known = {name: getattr(getattr(old, head), name)}
      group = dataclasses.replace(getattr(config, head), **known)
      config = dataclasses.replace(config, **{head: group})
    elif name in old.objective_options:
      own[name] = old.objective_options[name]
  trunk = dict(config.trunk)
  if config.model and not old.trunk.get("max_positions"):
    trunk.pop("max_positions", None)
  return dataclasses.replace(config, objective_options=own, trunk=trunk)


def fingerprint(config: Config) -> str:
  """64 hex digits: equal for configurations of the same run."""
  return sha256(_identity(config))


def stamp(config: Config, data: Data, base: str = "") -> dict[str, Any]:
  """What a checkpoint keeps of its run, for JSON.

  base: digest of the model that it adapts; "" where it adapts none.
  """
  return {
    "config": json.loads(config_lib.to_json(config_lib.resolve(config))),
    "data": {
      "data.corpus": data.corpus.fingerprint,
      "data.tokenizer": data.tokenizer.fingerprint,
      "data.packing": data.fingerprint,
    }
    | ({"model": base} if base else {}),
  }


def changes_since(
  stamped: Mapping[str, Any],
  config: Config,
  data: Data,
  where: str,
  base: str = "",
) -> list[Change]:
  """What differs from the run that a checkpoint was stamped by.

  Args:
    stamped: by `stamp`.
    config, data, base: of now.
    where: names the checkpoint in messages.
  """
  old = config_lib.from_json(json.dumps(stamped["config"]), where)
  found = changes(old, config)
  now = stamp(config, data, base)["data"]
  for path, what in _DATA.items():
    if stamped["data"].get(path) == now.get(path):
      continue
    # Rows are other ones whenever what they are made of is.
    derived = path == "data.packing" and any(
      change.path.startswith(("data.", "length")) for change in found
    )
    if not derived and path not in [change.path for change in found]:
      found.append(Change(path, what))
  return found


def refused(found: Iterable[Change], allowed: Iterable[str]) -> list[Change]:
  """Those that no name allows; a group's name allows all under it."""
  names = tuple(allowed)
  return [
    change
    for change in found
    if not any(f"{change.path}.".startswith(f"{name}.") for name in names)
  ]


def check_names(config: Config) -> None:
  """Raises UsageError if --allow_change names what there is not."""
  paths = sorted(_identity(config))
  groups = {path.partition(".")[0] for path in paths if "." in path}
  for name in config.allow_change:
    if name not in paths and name not in groups:
      raise registry.unknown("--allow_change", name, sorted({*paths, *groups}))


def differ(found: Iterable[Change]) -> str:
  """A diff in a line, and the flag that would allow it."""
  changed = list(found)
  names = ",".join(change.path for change in changed)
  return (
    f"another configuration ({'; '.join(map(str, changed))}); name another"
    f" directory, or go on all the same by --allow_change={names}"
  )


def _identity(config: Config) -> dict[str, Any]:
  """What is computed; as before an option, where it says what was done then."""
  before = config_lib.versioned(config.objective)
  return {
    path: value
    for path, value in config_lib.flat(config).items()
    if path not in _FREE
    and not (path in before and value == before[path].absent)
  }
