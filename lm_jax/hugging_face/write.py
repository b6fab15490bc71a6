"""Models and parameters of ours to directories of Hugging Face Transformers."""

from __future__ import annotations

import dataclasses
import functools
import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from lm_jax.families._fields import Fields
from lm_jax.families.base import Family, Tensor
from lm_jax.hugging_face.model import Model
from lm_jax.hugging_face.source_files import Stored
from lm_jax.models.dense import GROUPS
from lm_jax.models.layers import GATED
from lm_jax.models.transformer import encoder_of
from lm_jax.storage.digest import flatten
from lm_jax.support.errors import UsageError
from lm_jax.types import Head, Specials, Trunk

Tree = Any

# Options that change how a trunk is trained, not what it computes.
TRAINING = (
  "dropout",
  "attention_dropout",
  "initializer_range",
  "embedding_range",
  "remat",
  "scan",
  "dtype",
  "attention",
  "embeddings",
  "types_are_tokens",
)
_ROTARY = ("rotary_base", "local_rotary_base", "rotary_scaling")
_RELATIVE = ("relative_buckets", "relative_distance")


def canonical(trunk: Trunk) -> Trunk:
  """The trunk with one spelling for each network: what has no say is reset."""
  plain = Trunk()
  changes = {name: getattr(plain, name) for name in TRAINING}

  def reset(*names: str) -> None:
    changes.update({name: getattr(plain, name) for name in names})

  if trunk.positions != "rotary":
    reset(*_ROTARY)
  if not any(trunk.windows):
    reset("local_rotary_base", "windows")
  if trunk.local_rotary_base == trunk.rotary_base:
    reset("local_rotary_base")
  if trunk.sharing == tuple(range(trunk.layers)):
    reset("sharing")
  if trunk.positions != "relative":
    reset(*_RELATIVE)
  if trunk.positions not in ("learned", "sinusoidal", "fairseq"):
    reset("position_offset")
  if trunk.positions != "learned":
    reset("max_positions")
  if trunk.kv_heads == trunk.heads:
    reset("kv_heads")
  if trunk.head_width * trunk.heads == trunk.width:
    reset("head_width")
  if trunk.embedding_width == trunk.width:
    reset("embedding_width")
  for name in ("layers", "heads", "feedforward"):
    own = getattr(trunk, f"encoder_{name}")
    if trunk.architecture != "encoder_decoder" or own == getattr(trunk, name):
      reset(f"encoder_{name}")
  if trunk.architecture != "encoder_decoder" or (
    not trunk.embedding_norm and trunk.positions != "learned"
  ):
    reset("encoder_embeddings")
  if not trunk.output_transform:
    reset("output_transform_bias", "output_activation")
  if trunk.output_activation == GATED.get(trunk.activation, trunk.activation):
    reset("output_activation")
  if trunk.norm == "rmsnorm":
    reset("norm_bias")
  if trunk.norm_placement == "post":
    reset("first_norm")
  if trunk.embedding_width in (0, trunk.width):  # all biases are in groups
    every = set(GROUPS.values())
    has = {name for name in every if trunk.bias != (name in trunk.bias_except)}
    changes["bias"] = has == every
    changes["bias_except"] = () if has == every else tuple(sorted(has))
  if any(trunk.windows):  # layer by layer
    windows = itertools.cycle(trunk.windows)
    changes["windows"] = tuple(itertools.islice(windows, trunk.layers))
  return dataclasses.replace(trunk, **changes)


def misfits(
  family: Family, trunk: Trunk, specials: Specials | None = None
) -> list[str]:
  """The options that keep a trunk from fitting a family; [] if it fits.

  The family's own configuration of the trunk is read back, and what differs
  then is what the family cannot say. The ids of special tokens are a part of
  it: RoBERTa counts positions from that of the padding.
  """
  try:
    values = family.config(trunk)
    if specials is not None:
      values |= family.tokens(specials)
    back = family.trunk(Fields(values, family.title))
  except UsageError as error:
    return [str(error)]
  return min(
    (_differences(family, trunk, x) for x in family.readings(back)), key=len
  )


def _differences(family: Family, trunk: Trunk, back: Trunk) -> list[str]:
  if _is_part(family, trunk):
    back = dataclasses.replace(encoder_of(back), architecture="encoder")
  back = dataclasses.replace(back, vocabulary=trunk.vocabulary)
  mine, theirs = canonical(trunk), canonical(back)
  differences = []
  for field in dataclasses.fields(Trunk):
    name = field.name
    old, new = getattr(mine, name), getattr(theirs, name)
    if old != new:
      flag = "architecture" if name == "architecture" else f"trunk.{name}"
      differences.append(
        f"--{flag}={_shown(old)} is {_shown(new)} in {family.title}"
      )
  return differences


def _is_part(family: Family, trunk: Trunk) -> bool:
  """Returns whether it is only the encoder of the family's usual model."""
  return trunk.architecture == "encoder" and bool(family.encoders)


def _shown(value: Any) -> str:
  if isinstance(value, bool):
    return str(value).lower()
  if isinstance(value, tuple):
    value = ",".join(map(str, value))
  return str(value) or "(empty)"


def model_of(
  family: Family,
  trunk: Trunk,
  outputs: Mapping[str, Head | None],
  specials: Specials | None = None,
) -> Model:
  """The model of a family with a trunk and outputs of ours.

  Raises:
    UsageError: the trunk or the outputs do not fit, and why.
  """
  wrong = misfits(family, trunk, specials)
  if wrong:
    raise UsageError(f"{family.title} does not fit: {'; '.join(wrong)}")
  # Layers by name; an export unrolls those of a scan.
  trunk = dataclasses.replace(trunk, scan=False)
  for architecture, names in family.classes.items():
    needed = {name for name in names if not name.endswith("?")}
    every = {name.removesuffix("?") for name in names}
    alike = (architecture in family.encoders) == _is_part(family, trunk)
    if alike and needed <= set(outputs) <= every:
      return Model(family, architecture, trunk, dict(outputs))
  raise UsageError(
    f"{family.title} has no class with the outputs "
    f"{', '.join(outputs) or '(none)'}"
  )


def tensors(
  model: Model,
  params: Tree,
  dtype: Any = np.float32,
  stored: Mapping[str, Any] | None = None,
  kept: Sequence[Stored] = (),
) -> Iterator[Stored]:
  """Yields the file's tensors: name, dtype, shape, and what makes each.

  Args:
    model: of the parameters.
    params: a tree of arrays; gradients will do as well.
    dtype: of all tensors but those of `stored`.
    stored: by name, of the file that is to come again: with it come the
      copies that it had.
    kept: of that file what holds no parameters; comes as it is.
  """
  yield from kept
  leaves = flatten(params)
  stored = stored or {}
  again = {
    copy: name
    for copy, name in model.copies().items()
    if copy in stored and copy not in model.tensors
  } | dict(model.family.duplicates(model.trunk))
  for name, *_ in kept:
    again.pop(name, None)
  for name, rule in model.tensors.items():
    for each in (name, *(x for x, of in again.items() if of == name)):
      kind = np.dtype(stored.get(each, dtype))
      make = functools.partial(_join, model, rule, leaves, kind)
      yield each, kind, model.shape(rule), make


def _join(
  model: Model, rule: Tensor, leaves: Mapping[str, Any], dtype: np.dtype
) -> np.ndarray:
  parts = [np.asarray(leaves[path]) for path in rule.ours]
  tensor = parts[0]
  if len(parts) > 1:
    tensor = np.concatenate(parts, axis=-1)
  if rule.transpose:
    tensor = tensor.T
  tensor = tensor.reshape(model.shape(rule))
  if dtype == np.float16:  # The other dtypes reach as far as float32.
    most = np.finfo(np.float16).max
    if np.any(np.isfinite(tensor) & (np.abs(tensor) > most)):
      raise UsageError(
        f"--dtype=float16: {rule.theirs} has numbers above {most:.0f}; "
        "bfloat16 and float32 hold them"
      )
  return np.ascontiguousarray(tensor, dtype)
