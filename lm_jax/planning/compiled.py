"""Lists the collectives of a compiled step, from XLA's text."""

from __future__ import annotations

import math
import re

_KINDS = (
  *("all-reduce", "all-gather", "reduce-scatter", "all-to-all"),
  "collective-permute",
)
_CALL = re.compile(rf"= (.*?) ({'|'.join(_KINDS)})(?:-start)?\((.*)")
_SHAPE = re.compile(r"\b([a-z]+)(\d*)\[([\d,]*)\]")


def collectives(text: str, devices: int) -> dict[str, int]:
  """Sums the output bytes of collectives per device, by "kind of n".

  n is the size of the group. Those in a loop's body count once. The text is
  that of `jax.stages.Compiled.as_text`, for a number of devices.
  """
  sizes: dict[str, int] = {}
  for shapes, kind, rest in _CALL.findall(text):
    key = f"{kind} of {_group(rest, devices)}"
    sizes[key] = sizes.get(key, 0) + sum(map(_bytes, _SHAPE.findall(shapes)))
  return sizes


def _bytes(shape: tuple[str, str, str]) -> int:
  _, bits, sizes = shape  # "pred" has no bits, and a byte.
  count = math.prod(map(int, sizes.split(","))) if sizes else 1
  return count * max(1, int(bits or 8) // 8)


def _group(text: str, devices: int) -> int:
  """Number of devices in one group."""
  if "source_target_pairs" in text:
    return 2
  # [groups, devices]<=[all] with or without a transposition.
  if match := re.search(r"replica_groups=\[\d+,(\d+)\]", text):
    return int(match[1])
  if match := re.search(r"replica_groups=\{\{([\d,]+)\}", text):
    return len(match[1].split(","))
  # mesh['a'=4,'b'=2], ... {'a'}: along a.
  if match := re.search(r"replica_groups=mesh\[(.*?)\].*?\{('.*?)\}", text):
    axes = dict(re.findall(r"('\w+')=(\d+)", match[1]))
    return math.prod(int(axes[name]) for name in match[2].split(","))
  if "replica_groups" in text:
    raise ValueError(f"replica groups in an unknown form: {text[:200]}")
  return devices
