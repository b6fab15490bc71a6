"""Recognizes the model in a file by the names of its tensors."""

from __future__ import annotations

import dataclasses
import re

import ml_dtypes
import numpy as np

from lm_jax.hugging_face.model import Model
from lm_jax.hugging_face.weights import Weights
from lm_jax.support.errors import UsageError

# What float32 holds exactly, so that an export gives it back.
FLOATS = tuple(map(np.dtype, (np.float32, np.float16, ml_dtypes.bfloat16)))


def match(candidates: list[Model], weights: Weights) -> Model:
  """Returns the model whose tensors are those of the file.

  That is the class that config.json names, or if the file has more, the
  class of the family that has all of it.

  Raises:
    UsageError: a tensor is missing, is too much, or has another shape.
  """
  present = set(weights.names())
  whole = fitting(candidates, present)
  if not whole:
    raise _explain(candidates, present, weights)
  # Of the readings of a configuration, the one whose copies are copies.
  architecture = whole[0].architecture
  alike = [m for m in whole if m.architecture == architecture]
  model = next((m for m in alike if not _differing(m, weights)), None)
  if model is None:
    raise UsageError(
      f"{weights.where}: {_differing(alike[0], weights)}, and {architecture} "
      "has one tensor for both here (tie_word_embeddings)"
    )
  for name, rule in model.tensors.items():
    expected, shape = model.shape(rule), weights.shape(name)
    if tuple(shape) != tuple(expected):
      raise UsageError(
        f"{weights.where}: {name} has the shape {list(shape)}, and the "
        f"configuration means {list(expected)}"
      )
    if weights.dtype(name) not in FLOATS:
      raise UsageError(
        f"{weights.where}: {name} is of {weights.dtype(name)}; valid are "
        f"{', '.join(map(str, FLOATS))}"
      )
  return model


def fitting(candidates: list[Model], names: set[str]) -> list[Model]:
  """Keeps the models with these tensors; only of the first class if any are.

  names: of all tensors of a file. The models that are returned know under
    which of them it has theirs.
  """
  first = candidates[0].architecture
  # Half of a model is none: an encoder is read as one where that is said.
  kind = candidates[0].trunk.architecture
  candidates = [m for m in candidates if m.trunk.architecture == kind]
  # To trace a model takes a while, so others are tried only if they must.
  for named in (True, False):
    every = [
      _with_moved(model, names)
      for model in candidates
      if (model.architecture == first) == named
    ]
    matching = [model for model in every if not any(_gap(model, names))]
    if matching:
      return matching
  return []


def _with_moved(model: Model, present: set[str]) -> Model:
  """Maps missing tensors to the copies or old names that the file has."""
  new = {modern(name): name for name in present}
  moved = {name: old for name, old in new.items() if name not in present}
  moved |= {
    name: copy
    for copy, name in model.copies().items()
    if copy in present and name not in present
  }
  return dataclasses.replace(model, moved=moved)


def modern(name: str) -> str:
  """Returns a tensor's name since 2019; before, TensorFlow's were kept."""
  for old, new in (("gamma", "weight"), ("beta", "bias")):
    name = name.replace(f"LayerNorm.{old}", f"LayerNorm.{new}")
  return name


def _gap(model: Model, present: set[str]) -> tuple[set[str], set[str]]:
  """Tensors that are missing, and those that are too many."""
  needed = set(model.tensors)
  copies = {*model.copies(), *model.family.duplicates(model.trunk)}
  ignored = re.compile("|".join(model.family.ignored) or r"(?!)")
  others = present - needed - copies
  extra = {name for name in others if not ignored.search(name)}
  return needed - present, extra


def _explain(
  candidates: list[Model], present: set[str], weights: Weights
) -> UsageError:
  """Tells what is wrong with the file, were it of the class that is named."""
  first = candidates[0].architecture
  gaps = [
    (model, _gap(_with_moved(model, present), present))
    for model in candidates
    if model.architecture == first
  ]
  model, (missing, extra) = min(gaps, key=lambda x: sum(map(len, x[1])))
  shown = []
  for names, what in ((missing, "is missing"), (extra, "is too much")):
    if names:
      more = f" (and {len(names) - 1} more)" if len(names) > 1 else ""
      shown.append(f"{min(names)}{more} {what}")
  return UsageError(
    f"{weights.where}: the tensors are not those of "
    f"{model.architecture}: {'; '.join(shown)}"
  )


def _differing(model: Model, weights: Weights) -> str:
  """Names a tensor that is no copy and should be one; "" if all are."""
  present = set(weights.names())
  for copy, name in model.copies().items():
    if copy not in present or name not in present:
      continue
    one, other = (
      weights.read(x).reshape(-1).view(np.uint8) for x in (copy, name)
    )
    if not np.array_equal(one, other):
      return f"{copy} differs from {name}"
  return ""
