"""Turns the layers of a scan into separate layers."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax


def unrolled(network: Any, params: Any) -> tuple[Any, Any]:
  """Returns the same network without scans, and its parameters.

  A loop over stacked layers copies each layer's parameters, which slows down a
  step for one token.
  """
  scanned = {name for name, trunk in network.trunks if trunk.scan}
  if not scanned:
    return network, params
  trunks = tuple(
    (name, dataclasses.replace(trunk, scan=False))
    for name, trunk in network.trunks
  )
  separate = dict(params)
  for name in scanned:
    separate[f"stack_{name}"] = unroll_stack(separate[f"stack_{name}"])
  return network.clone(trunks=trunks), separate


def unroll_stack(params: Any) -> dict[str, Any]:
  """Separates the parameters of a stack by layer."""
  stack = dict(params)
  for name in ("blocks", "encoder"):
    if "layers" in stack.get(name, {}):
      stack[name] = _blocks(stack[name])
  return stack


def _blocks(blocks: Any) -> dict[str, Any]:
  """Separates the layers of a scan."""
  layers = dict(blocks)
  stacked = layers.pop("layers")
  period = len(stacked)
  for number in range(period):
    block = stacked[f"block_{number}"]
    for i in range(jax.tree.leaves(block)[0].shape[0]):
      layers[f"layer_{period * i + number}"] = jax.tree.map(
        lambda leaf, i=i: leaf[i], block
      )
  return layers
