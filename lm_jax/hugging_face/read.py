"""Directories of Hugging Face Transformers to models and parameters of ours."""

from __future__ import annotations

import dataclasses
import functools
import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from lm_jax import registry
from lm_jax.devices import sharding
from lm_jax.families import _fields
from lm_jax.families.base import VOCABULARY, Family, Tensor
from lm_jax.hugging_face.match import fitting as fitting  # offered here too
from lm_jax.hugging_face.match import match as match
from lm_jax.hugging_face.model import Model
from lm_jax.hugging_face.place import place
from lm_jax.hugging_face.weights import Weights
from lm_jax.models.transformer import encoder_of
from lm_jax.storage.digest import flatten

PACKAGE = "lm_jax.families"
FLOAT = np.dtype(np.float32)
Tree = Any


@functools.cache
def families() -> dict[str, Family]:
  """Every family, by its file's name."""
  return {
    name: registry.find(PACKAGE, name, Family, "--family")()
    for name in registry.names(PACKAGE)
  }


def family_of(fields: _fields.Fields) -> Family:
  """The family of a configuration's model_type, or UsageError."""
  by_type = {t: f for f in families().values() for t in f.model_types}
  kind = str(fields.values.get("model_type"))
  if kind not in by_type:
    where = f"{fields.where}: model_type"
    raise registry.unknown(where, kind, sorted(by_type))
  return by_type[kind]


def describe(
  directory: str | pathlib.Path,
  flag: str = "--model",
  changes: Mapping[str, Any] | None = None,
) -> list[Model]:
  """What a directory may hold: the class it names, then others of its family.

  Its weights are not read.

  Args:
    directory: of theirs.
    flag: names it in messages.
    changes: what stands in the place of fields of its config.json.

  Raises:
    UsageError: no config.json, or one that is not supported.
  """
  fields = _fields.read(pathlib.Path(directory), flag)
  if changes:
    fields = _fields.Fields({**fields.values, **changes}, fields.where)
  family = family_of(fields)
  trunk = family.trunk(fields)
  named = fields.values.get("architectures") or family.base_classes[:1]
  if (
    not isinstance(named, (list, tuple))
    or not isinstance(named[0], str)
    or named[0] not in family.classes
  ):
    raise fields.error("architectures", "one of " + ", ".join(family.classes))
  heads = family.heads(fields)
  found = []
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
        found.append(Model(family, architecture, own, on_it))
  # Old files may hold the base model's tensors under its own names.
  short = [
    dataclasses.replace(model, short=True)
    for model in found
    if model.architecture == named[0] and model.prefix
  ]
  return found + short


def parameters(model: Model, weights: Weights, mesh: Any) -> Tree:
  """The parameters, float32, read part by part to the devices they are for.

  Args:
    model: that `match` found.
    weights: open.
    mesh: of devices; lm_jax.devices.sharding.make_mesh().
  """
  places = flatten(sharding.parameters(mesh, model.boxed))
  params: dict[str, Any] = {}
  for name, rule in model.tensors.items():
    for path in rule.ours:
      *folders, leaf = path.split(".")
      node = params
      for folder in folders:
        node = node.setdefault(folder, {})
      node[leaf] = place(
        functools.partial(_read_part, model, rule, weights, name, path),
        model.shapes[path],
        FLOAT,
        places[path],
      )
  return params


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
  shape = model.shapes[path]
  axis = rule.axis % len(shape)
  before = rule.ours[: rule.ours.index(path)]
  start = sum(model.shapes[other][axis] for other in before)
  parts = []
  for i, (part, size) in enumerate(zip(index, shape, strict=True)):
    first, last, _ = part.indices(size)
    shift = start if i == axis else 0
    parts.append(slice(first + shift, last + shift))
  if rule.transpose:
    return weights.read(name, tuple(parts[::-1])).T
  return weights.read(name, tuple(parts))


def split(model: Model, rule: Tensor, tensor: Any) -> dict[str, Any]:
  """A tensor of theirs cut into parameters of ours, by path; views of it."""
  joined = model.joined(rule)
  if rule.shape is not None:
    shape = joined[::-1] if rule.transpose else joined
    tensor = tensor.reshape(shape)
  if rule.transpose:
    tensor = tensor.T
  sizes = [model.shapes[path][rule.axis] for path in rule.ours]
  edges = np.cumsum(sizes)[:-1]
  return dict(
    zip(rule.ours, np.split(tensor, edges, axis=rule.axis), strict=True)
  )
