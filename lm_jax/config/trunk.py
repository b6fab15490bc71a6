"""The trunk's options: a size or a preset, what differs, and what can't be."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

from lm_jax.models import sizes
from lm_jax.support import registry
from lm_jax.support.errors import UsageError
from lm_jax.support.options import Option, check_ranges, options
from lm_jax.support.values import show
from lm_jax.types import Architecture, Trunk

# Set from elsewhere: --architecture, --dtype, and the objective.
_DERIVED = frozenset({"architecture", "dtype", "embeddings", "adaptation"})
# Follow from the data where they are 0.
FROM_DATA = ("vocabulary", "max_positions")
# May change when a model's training goes on.
FREE = frozenset({"dropout", "attention_dropout", "remat", "attention"})
FIELDS = tuple(
  field.name
  for field in dataclasses.fields(Trunk)
  if field.name not in (*_DERIVED, *FROM_DATA)
)


def schema() -> dict[str, Option]:
  """The flags, by path: "trunk.preset", "trunk.layers", ...

  They have no defaults of their own: the size or the preset has.
  """
  preset = Option(
    "trunk.preset",
    str,
    "",
    "a published shape: `list sizes`; with --size, its kind of that size. What"
    " is not given below is as the size, or the preset, has it",
  )
  known = options(Trunk, "trunk.")
  fields = [known[f"trunk.{name}"] for name in (*FIELDS, *FROM_DATA)]
  return {
    preset.path: preset,
    **{o.path: dataclasses.replace(o, default=None) for o in fields},
  }


def make(
  size: str,
  changes: Mapping[str, Any],
  architecture: Architecture,
  dtype: Any,
) -> Trunk:
  """The trunk of a size, or of changes["preset"], with its changes.

  What follows from the data is 0 unless it is among the changes.

  Raises:
    UsageError: there is no such size or preset.
  """
  changes = dict.fromkeys(FROM_DATA, 0) | dict(changes)
  preset = changes.pop("preset", "")
  require(size, preset)
  trunk = sizes.PRESETS[preset] if preset else sizes.SIZES[size]
  if trunk.sharing and "layers" in changes:
    # Its layers share their parameters, however many there are.
    changes = {"sharing": (0,) * changes["layers"]} | changes
  return dataclasses.replace(
    trunk, architecture=architecture, dtype=dtype, **changes
  )


def at_size(preset: str, size: str) -> dict[str, Any]:
  """Returns the changes that give a preset's kind of trunk another size."""
  require(size, preset)
  return sizes.shape(preset, size)


def require(size: str, preset: str) -> None:
  """Raises UsageError where there is no such size, or preset ("": none)."""
  if size not in sizes.SIZES:
    raise registry.unknown("--size", size, sizes.SIZES)
  if preset and preset not in sizes.PRESETS:
    raise registry.unknown("--trunk.preset", preset, sizes.PRESETS)


def check(trunk: Trunk) -> None:
  """Raises UsageError if there can be no such transformer."""
  check_ranges(trunk, "trunk.")
  if not trunk.windows or min(trunk.windows) < 0:
    raise UsageError(
      f"--trunk.windows={show(trunk.windows)}: must be whole numbers from 0,"
      " 256,0"
    )
  if not trunk.head_width and trunk.width % trunk.heads:
    small = range(1, math.isqrt(trunk.width) + 1)
    pairs = ((n, trunk.width // n) for n in small if trunk.width % n == 0)
    divisors = sorted({n for pair in pairs for n in pair})
    near = sorted(sorted(divisors, key=lambda n: abs(n - trunk.heads))[:3])
    raise UsageError(
      f"--trunk.heads={trunk.heads}: must divide --trunk.width={trunk.width}"
      f" (as {', '.join(map(str, near))} do) unless --trunk.head_width is given"
    )
  for part, whole in (
    ("kv_heads", "heads"),
    ("encoder_heads", "width"),
    ("kv_heads", "encoder_heads"),
  ):
    parts, of = getattr(trunk, part), getattr(trunk, whole)
    if parts and of % parts:
      raise UsageError(
        f"--trunk.{part}={parts}: must divide --trunk.{whole}={of}"
      )
  if trunk.scan and trunk.layers % len(trunk.windows):
    raise UsageError(
      f"--trunk.windows={show(trunk.windows)}: with --trunk.scan their number"
      f" must divide --trunk.layers={trunk.layers}"
    )
  _check_layers(trunk)
  if trunk.relative_distance <= trunk.relative_buckets // 2:
    raise UsageError(
      f"--trunk.relative_distance={trunk.relative_distance}: must be above"
      f" half of --trunk.relative_buckets={trunk.relative_buckets}"
    )
  width = trunk.embedding_width or trunk.width
  if trunk.positions in ("sinusoidal", "fairseq") and width % 2:
    raise UsageError(
      f"--trunk.positions={trunk.positions}: needs embeddings of an even width,"
      f" not {width}"
    )
  scaling = trunk.rotary_scaling
  ordered = len(scaling) in (0, 1) or (
    len(scaling) == 4 and scaling[1] < scaling[2]
  )
  if not ordered or any(number <= 0 for number in scaling):
    raise UsageError(
      f"--trunk.rotary_scaling={show(scaling)}: must be one number above 0, or"
      " four, the second below the third"
    )
  head_width = trunk.head_width or trunk.width // trunk.heads
  if trunk.positions == "rotary" and head_width % 2:
    raise UsageError(
      f"--trunk.positions=rotary: needs heads of an even width, not"
      f" {head_width} (--trunk.width={trunk.width} by"
      f" --trunk.heads={trunk.heads})"
    )


def _check_layers(trunk: Trunk) -> None:
  """Raises UsageError where layers cannot share or differ as asked."""
  if trunk.sharing:
    shown = show(trunk.sharing)
    counts = {trunk.layers, trunk.encoder_layers or trunk.layers}
    if counts != {len(trunk.sharing)} or min(trunk.sharing) < 0:
      raise UsageError(
        f"--trunk.sharing={shown}: must be {trunk.layers} whole numbers from"
        " 0, one for each layer"
      )
    if any(trunk.windows):
      raise UsageError(
        f"--trunk.sharing={shown}: does not go with --trunk.windows"
      )
  if trunk.depth_scaling and (trunk.sharing or trunk.positions == "xlnet"):
    flag = "sharing" if trunk.sharing else "positions=xlnet"
    raise UsageError(
      f"--trunk.depth_scaling=true: does not go with --trunk.{flag}"
    )
  own = {
    "sharing": trunk.sharing,
    "first_norm": not trunk.first_norm,
    "depth_scaling": trunk.depth_scaling,
  }
  if trunk.scan and any(own.values()):
    flag = next(name for name, there in own.items() if there)
    raise UsageError(
      f"--trunk.scan=true: does not go with --trunk.{flag}: its layers are"
      " alike and have parameters of their own"
    )
