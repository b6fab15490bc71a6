"""Layers of a scan as layers by themselves."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax


def unrolled(network: Any, params: Any) -> tuple[Any, Any]:
  """The same network without scans, and its parameters.

  A loop over stacked layers copies each layer's parameters as it comes to it,
  which a step for one token feels.
  """
  scanned = {name for name, trunk in network.trunks if trunk.scan}
  if not scanned:
    return network, params
  trunks = tuple(
    (name, dataclasses.replace(trunk, scan=False))
    for name, trunk in network.trunks
  )
  found = dict(params)
  for name in scanned:
    found[f"stack_{name}"] = of_stack(found[f"stack_{name}"])
  return network.clone(trunks=trunks), found


def of_stack(params: Any) -> dict[str, Any]:
  """The parameters of a stack, layer by layer."""
  stack = dict(params)
  for name in ("blocks", "encoder"):
    if "layers" in stack.get(name, {}):
      stack[name] = _blocks(stack[name])
  return stack


def _blocks(blocks: Any) -> dict[str, Any]:
  """The layers of a scan, each by itself."""
  found = dict(blocks)
  stacked = found.pop("layers")
  period = len(stacked)
  for number in range(period):
    block = stacked[f"block_{number}"]
    for i in range(jax.tree.leaves(block)[0].shape[0]):
      found[f"layer_{period * i + number}"] = jax.tree.map(
        lambda leaf, i=i: leaf[i], block
      )
  return found
