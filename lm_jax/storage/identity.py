"""Decides whether two configurations are the same run, and what may change.

Two configurations are the same run if they compute the same. A checkpoint also
carries what no flag shows: fingerprints of the text, the tokens and the rows
that it has read.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from lm_jax import config as config_lib
from lm_jax.config import Config
from lm_jax.data.row_source import RowSource
from lm_jax.storage.digest import sha256
from lm_jax.support import registry
from lm_jax.support.values import show

# Options that may differ between two calls for the same run: they do not change
# what is computed (another mesh changes rounding only).
_FREE = frozenset(
  {"workdir", "name", "arm", "eval", "log_every", "mesh", "allow_change"}
  | {"trackers", "stop_at"}
  | {"benchmark", "benchmark_data", "benchmark_limit", "link"}
  | {"checkpoint_every", "keep_last", "keep_every"}
  | {"data.cache", "data.workers", "data.label_key"}
  # Kernels differ by rounding only.
  | {"trunk.attention"}
  # Their expansions are compared field by field instead.
  | {"size", "trunk.preset"}
)
# The fingerprints, and what a change of a fingerprint alone means.
_DATA = {
  "model": "its parameters are others",
  "data.corpus": "its content is another",
  "data.tokenizer": "gives other tokens",
  "data.packing": "makes other rows of the same text",
}


class Change(NamedTuple):
  """A difference: a flag's path, and a description of the change."""

  path: str
  what: str

  def __str__(self) -> str:
    return f"{self.path}: {self.what}"


def changes(old: Config, new: Config) -> list[Change]:
  """Lists the differences that make runs different ones; [] for the same."""
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
  """Fills options that a configuration leaves open from an earlier run.

  A run that began before an option existed continues without it. In older runs
  on a model, the table of positions had the length of the rows; they keep that.
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
  """Hashes a configuration: 64 hex digits, equal for the same run."""
  return sha256(_identity(config))


def stamp(config: Config, data: RowSource, base: str = "") -> dict[str, Any]:
  """Returns what a checkpoint stores of its run, for JSON.

  base: digest of the model that the run adapts; "" if it adapts none.
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
  data: RowSource,
  where: str,
  base: str = "",
) -> list[Change]:
  """Lists the differences from the run that a checkpoint was stamped by.

  Args:
    stamped: made by `stamp`.
    config, data, base: of the present run.
    where: names the checkpoint in messages.
  """
  old = config_lib.from_json(json.dumps(stamped["config"]), where)
  differences = changes(old, config)
  now = stamp(config, data, base)["data"]
  for path, what in _DATA.items():
    if stamped["data"].get(path) == now.get(path):
      continue
    # Rows change whenever their sources change.
    derived = path == "data.packing" and any(
      change.path.startswith(("data.", "length")) for change in differences
    )
    if not derived and path not in [change.path for change in differences]:
      differences.append(Change(path, what))
  return differences


def refused(
  all_changes: Iterable[Change], allowed: Iterable[str]
) -> list[Change]:
  """Returns the changes that no name allows; a group allows all its options."""
  names = tuple(allowed)
  return [
    change
    for change in all_changes
    if not any(f"{change.path}.".startswith(f"{name}.") for name in names)
  ]


def check_names(config: Config) -> None:
  """Raises UsageError if --allow_change names an unknown option."""
  paths = sorted(_identity(config))
  groups = {path.partition(".")[0] for path in paths if "." in path}
  for name in config.allow_change:
    if name not in paths and name not in groups:
      raise registry.unknown("--allow_change", name, sorted({*paths, *groups}))


def differ(differences: Iterable[Change]) -> str:
  """Formats changes as one line, with the flag that would allow them."""
  changed = list(differences)
  names = ",".join(change.path for change in changed)
  return (
    f"another configuration ({'; '.join(map(str, changed))}); name another"
    f" directory, or go on all the same by --allow_change={names}"
  )


def _identity(config: Config) -> dict[str, Any]:
  """Returns the options that decide what is computed.

  An option whose value stands for the behaviour before it existed is left out.
  """
  before = config_lib.versioned(config.objective)
  return {
    path: value
    for path, value in config_lib.flat(config).items()
    if path not in _FREE
    and not (path in before and value == before[path].absent)
  }
