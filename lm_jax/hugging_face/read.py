"""Directories of Hugging Face Transformers to models and parameters of ours."""

from __future__ import annotations

import dataclasses
import functools
import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from flax.traverse_util import unflatten_dict

from lm_jax.devices import sharding
from lm_jax.families import _fields
from lm_jax.families.base import VOCABULARY, Family, Tensor
from lm_jax.hugging_face import match as match_lib
from lm_jax.hugging_face import source_files
from lm_jax.hugging_face.match import fitting as fitting  # offered here too
from lm_jax.hugging_face.match import match as match
from lm_jax.hugging_face.model import Model
from lm_jax.hugging_face.stream_to_devices import place
from lm_jax.hugging_face.weights import Weights
from lm_jax.models.transformer import encoder_of
from lm_jax.storage.digest import flatten
from lm_jax.support import links, registry, strict_json
from lm_jax.support.errors import UsageError

PACKAGE = "lm_jax.families"
FLOAT = np.dtype(np.float32)
Tree = Any


@functools.cache
def families() -> dict[str, Family]:
  """Every family, by its file's name."""
  return {name: cls() for name, cls in registry.every(PACKAGE, Family).items()}


def family_of(fields: _fields.Fields) -> Family:
  """The family of a configuration's model_type, or UsageError."""
  by_type = {t: f for f in families().values() for t in f.model_types}
  kind = str(fields.values.get("model_type"))
  if kind not in by_type:
    where = f"{fields.where}: model_type"
    raise registry.unknown(where, kind, sorted(by_type))
  return by_type[kind]


def fields_of(directory: pathlib.Path, flag: str = "--model") -> _fields.Fields:
  """The config.json of theirs, with a model_type.

  Files of 2019 lack it: the class that they name tells it, or the tensors.

  Raises:
    UsageError: no config.json, or nothing tells of which family it is.
  """
  fields = _fields.read(directory, flag)
  if "model_type" in fields.values:
    return fields
  named = fields.values.get("architectures")
  kinds = [
    family.model_types[0]
    for family in families().values()
    if isinstance(named, list) and named and named[0] in family.classes
  ]
  if not kinds:
    names = _tensor_names(directory, flag)
    known = {f: _known(f, fields, names) for f in families().values()}
    most = max(known.values())
    best = [f for f, n in known.items() if n == most and 2 * most > len(names)]
    # Where those that were made of another one know as many, it is that one.
    first = [x for x in best if all(isinstance(y, type(x)) for y in best)]
    kinds = [family.model_types[0] for family in first or best]
  if len(kinds) == 1:
    return _fields.Fields(
      {**fields.values, "model_type": kinds[0]}, fields.where
    )
  told = "neither architectures nor the tensors tell it"
  if kinds:
    told = f"the tensors fit {' and '.join(kinds)}"
  valid = kinds or sorted(t for f in families().values() for t in f.model_types)
  raise UsageError(
    f"{fields.where}: has no model_type, and {told}; valid are"
    f" {', '.join(valid)}"
  )


def _tensor_names(directory: pathlib.Path, flag: str) -> set[str]:
  """Names the tensors of a directory, or of what a run has kept of one."""
  kept = directory / source_files.TENSORS
  if kept.is_file():
    return set(strict_json.read(links.inside(kept)))
  with Weights(directory, flag) as weights:
    return set(weights.names())


def _known(family: Family, fields: _fields.Fields, names: set[str]) -> int:
  """Counts the tensors that a model of the family has, by their names."""
  try:
    trunk = family.trunk(fields)
  except UsageError:  # The fields are none of this family's.
    return 0
  theirs = {rule.theirs for rule in family.tensors(trunk)}
  with_prefix = {family.prefix + name for name in theirs}
  modern = set(map(match_lib.modern, names))
  # Either all names have the prefix or, as in GPT-2's file, none.
  return max(len(modern & with_prefix), len(modern & theirs))


def describe(
  directory: str | pathlib.Path,
  flag: str = "--model",
  changes: Mapping[str, Any] | None = None,
) -> list[Model]:
  """Lists the models a directory may hold: of its class, then of its family.

  Its weights are not read.

  Args:
    directory: of theirs, which `flag` names in messages.
    changes: what stands in the place of fields of its config.json.

  Raises:
    UsageError: no config.json, or one that is not supported.
  """
  fields = fields_of(pathlib.Path(directory), flag)
  if changes:
    fields = _fields.Fields({**fields.values, **changes}, fields.where)
  family = family_of(fields)
  trunk = family.trunk(fields)
  usual = (*family.bare_classes, *family.classes)
  named = fields.values.get("architectures") or usual
  if (
    not isinstance(named, (list, tuple))
    or not isinstance(named[0], str)
    or named[0] not in family.classes
  ):
    raise fields.error("architectures", "one of " + ", ".join(family.classes))
  heads = family.heads(fields)
  models = []
  others = [name for name in family.classes if name != named[0]]
  for architecture in [named[0], *others]:
    outputs = family.classes[architecture]
    choices = {outputs, tuple(x for x in outputs if not x.endswith("?"))}
    for names in sorted(choices, key=len, reverse=True):
      chosen = [name.removesuffix("?") for name in names]
      on_it = {
        name: None if name == VOCABULARY else heads[name] for name in chosen
      }
      for own in family.readings(trunk):
        if architecture in family.encoders:
          own = dataclasses.replace(encoder_of(own), architecture="encoder")
        models.append(Model(family, architecture, own, on_it))
  # Old files may hold the base model's tensors under its own names.
  short = [
    dataclasses.replace(model, short=True)
    for model in models
    if model.architecture == named[0] and model.prefix
  ]
  return models + short


def parameters(model: Model, weights: Weights, mesh: Any) -> Tree:
  """The parameters, float32, read part by part to the devices they are for.

  mesh: of lm_jax.devices.sharding.make_mesh().
  """
  places = flatten(sharding.parameters(mesh, model.boxed))
  leaves = {
    path: place(
      functools.partial(_read_part, model, rule, weights, name, path),
      model.shapes[path],
      FLOAT,
      places[path],
    )
    for name, rule in model.tensors.items()
    for path in rule.ours
  }
  return unflatten_dict(leaves, sep=".")


def _read_part(
  model: Model,
  rule: Tensor,
  weights: Weights,
  name: str,
  path: str,
  index: tuple[slice, ...],
) -> np.ndarray:
  """The part of the parameter `path` that `index` asks for, and no more."""
  if rule.shape is not None:  # a part of ours is not a box of theirs
    return split(model, rule, weights.read(name))[path][index]
  before = rule.ours[: rule.ours.index(path)]
  start = sum(model.shapes[other][-1] for other in before)
  sizes = zip(index, model.shapes[path], strict=True)
  *parts, last = (slice(*part.indices(size)) for part, size in sizes)
  parts.append(slice(last.start + start, last.stop + start))
  if rule.transpose:
    return weights.read(name, tuple(parts[::-1])).T
  return weights.read(name, tuple(parts))


def split(model: Model, rule: Tensor, tensor: Any) -> dict[str, Any]:
  """A tensor of theirs cut into parameters of ours, by path; views of it."""
  joined = model.joined(rule)
  if rule.transpose:
    tensor = tensor.reshape(joined[::-1]).T
  else:
    tensor = tensor.reshape(joined)
  sizes = [model.shapes[path][-1] for path in rule.ours]
  parts = np.split(tensor, np.cumsum(sizes)[:-1], axis=-1)
  return dict(zip(rule.ours, parts, strict=True))
