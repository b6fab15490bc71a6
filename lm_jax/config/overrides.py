"""Configurations from text: flags, swept values, and a model's own."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from lm_jax import config as config_lib
from lm_jax.adaptation.base import Adaptation
from lm_jax.config import Config, phases
from lm_jax.config import trunk as trunk_lib
from lm_jax.data import own_builders
from lm_jax.objectives.base import Objective
from lm_jax.support import registry
from lm_jax.support.errors import UsageError
from lm_jax.support.options import Option, options
from lm_jax.support.values import show
from lm_jax.types import SEED_KINDS

# What only `finetune` takes.
OF_TASKS = ("task", "task_data", "train_examples", "patience")
# What says which run it is.
UNSWEPT = (
  *("workdir", "name", "arm", "seed"),
  *(f"seed.{kind}" for kind in SEED_KINDS),
)


def objective_flags(supervised: bool = False) -> dict[str, Option]:
  """The options of all objectives, by path.

  Args:
    supervised: of those that learn from examples, or of all others.

  Where two objectives mean different things by one name, the flag takes any
  text, and `override` checks it for the objective that is chosen.
  """

  classes = registry.every(config_lib.OBJECTIVES, Objective)
  return _union(
    "objective.",
    {n: cls for n, cls in classes.items() if cls.supervised == supervised},
  )


def adaptation_flags() -> dict[str, Option]:
  """The options of all adaptations, by path, and the one that names one."""
  method = Option(
    f"adapt.{config_lib.METHOD}",
    str,
    None,
    "what is trained of --model, instead of all of it: `list adaptations`",
  )
  classes = registry.every(config_lib.ADAPTATIONS, Adaptation)
  return {method.path: method, **_union("adapt.", classes)}


def _union(prefix: str, classes: Mapping[str, type]) -> dict[str, Option]:
  """Merges the options of several classes, by their names."""
  union: dict[str, dict[str, Option]] = {}
  for name, cls in classes.items():
    for path, option in options(cls, prefix).items():
      union.setdefault(path, {})[name] = option
  return {path: _merged(path, owners) for path, owners in union.items()}


def _merged(path: str, owners: Mapping[str, Option]) -> Option:
  helps: dict[tuple[str, str], list[str]] = {}
  for name, option in owners.items():
    key = (option.help, show(option.default))
    helps.setdefault(key, []).append(name)
  lines = [
    f"{help_line} ({', '.join(names)}: {default})"
    for (help_line, default), names in helps.items()
  ]
  kinds = {option.kind for option in owners.values()}
  kind = kinds.pop() if len(kinds) == 1 else str
  return Option(path, kind, None, "; ".join(lines))


def with_defaults(
  known: Mapping[str, Option], configs: Sequence[Config]
) -> dict[str, Option]:
  """Returns options with the values of configurations as their defaults.

  Where those differ there is no default, and the help line has them.
  """
  trees = [config_lib.given(config) for config in configs]
  changed = dict(known)
  for path, option in known.items():
    values = [tree[path] for tree in trees if path in tree]
    if values and values.count(values[0]) == len(trees):
      changed[path] = dataclasses.replace(option, default=values[0])
    elif values:
      shown = ", ".join(dict.fromkeys(map(show, values)))
      help_line = f"{option.help}; the arms have {shown}"
      changed[path] = dataclasses.replace(option, default=None, help=help_line)
  return changed


def override(config: Config, settings: Mapping[str, str]) -> Config:
  """The configuration with options set from text.

  Another objective brings its own natural architecture and its own options. A
  size that is given beside a preset is the size of the preset's kind of trunk.

  Args:
    settings: text by path, {"optimizer.learning_rate": "1e-3"}.

  Raises:
    UsageError: an unknown path, one that the objective lacks, a bad value.
  """
  known = config_lib.schema()
  own_builders.allow(settings.get("data.corpus", ""))
  tree: dict[str, dict[str, Any]] = {}
  named: dict[str, dict[str, str]] = {"objective": {}, "adapt": {}}
  for path, text in settings.items():
    head, _, tail = path.rpartition(".")
    if head in named:
      named[head][path] = text
    elif path in known:
      tree.setdefault(head, {})[tail] = known[path].parse(text)
    else:
      swept = [other for other in known if other not in UNSWEPT]
      raise registry.unknown("--sweep", path, swept, listing=False)
  changes = tree.get("", {})
  changes = _with_phases(config, changes, named["objective"])
  if changes.get("objective", config.objective) != config.objective:
    changes = {"architecture": "", "objective_options": {}, **changes}
  trunk = config.trunk | tree.get("trunk", {})
  if "size" in settings and trunk.get("preset"):
    trunk = trunk_lib.at_size(trunk["preset"], changes["size"]) | trunk
  changes["trunk"] = trunk
  changes["seeds"] = config.seeds | tree.get("seed", {})
  for group in ("data", "optimizer"):
    if group in tree:
      old = getattr(config, group)
      changes[group] = dataclasses.replace(old, **tree[group])
  config = phases.with_last(dataclasses.replace(config, **changes))
  if own := named["objective"]:
    valid = config_lib.objective_schema(config.objective)
    values = config.objective_options | _parsed(config.objective, own, valid)
    config = dataclasses.replace(config, objective_options=values)
  if adapt := named["adapt"]:
    config = dataclasses.replace(config, adapt=_adapt(config.adapt, adapt))
  return config


def _with_phases(
  config: Config, changes: dict[str, Any], own: Mapping[str, str]
) -> dict[str, Any]:
  """Changes of a configuration with what phases and objective bring along.

  Phases bring the objective of the last one; an objective alone ends what had
  phases.

  own: texts of the objective's options.
  """
  if text := changes.get("phases"):
    last = phases.parse(text)[-1]
    named = changes.get("objective", last.objective)
    if named != last.objective:
      raise UsageError(
        f"--objective={named}: --phases={text} ends with {last.objective},"
        " which is the objective of the run"
      )
    for path, value in own.items():
      if path.rpartition(".")[2] in last.options:
        raise UsageError(
          f"--{path}={value}: --phases={text} has it, too; give one of the two"
        )
    return {**changes, "objective": last.objective}
  if config.phases and ("objective" in changes or "phases" in changes):
    plain = {name: getattr(Config, name) for name in phases.FLAGS}
    return {**plain, "architecture": "", **changes}
  return changes


def _parsed(
  owner: str, texts: Mapping[str, str], valid: Mapping[str, Option]
) -> dict[str, Any]:
  """Values, by name, of options of an objective or an adaptation."""
  values = {}
  for path, text in texts.items():
    config_lib.require_option(owner, path, valid, f"--{path}={text}")
    values[path.rpartition(".")[2]] = valid[path].parse(text)
  return values


def _adapt(old: Mapping[str, Any], texts: Mapping[str, str]) -> dict[str, Any]:
  """Config.adapt with options set from text; another method brings its own."""
  path = f"adapt.{config_lib.METHOD}"
  name = texts.get(path, old.get(config_lib.METHOD, ""))
  if not name:
    first = next(iter(texts))
    raise UsageError(f"--{first}={texts[first]}: needs --{path}")
  own = {key: text for key, text in texts.items() if key != path}
  values = dict(old) if name == old.get(config_lib.METHOD) else {}
  values[config_lib.METHOD] = name
  return values | _parsed(name, own, config_lib.adaptation_schema(name))
