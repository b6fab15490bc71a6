"""Caches the keys and values of the tokens that a decoder has read.

A cache has S slots, a static number; `read` assigns a slot to each token.
lm_jax/visibility.py decides from the ranks and segments in `Cache.slots` which
slots a token sees, by the same rule as for tokens that are read together.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from lm_jax.models import attention
from lm_jax.types import Array, Stream, Trunk

# The name under which Attention sows the keys and values.
KEPT = "keys_and_values"


class LayerCache(NamedTuple):
  """Keys and values of a layer, [B * G, S, K] in the compute dtype.

  The G heads of a row are adjacent.
  """

  keys: Array
  values: Array


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Cache:
  """Everything that the next token needs of the tokens before it.

  layers: keys and values of each layer's self-attention.
  cross: keys and values of each layer's cross-attention; () without encoder.
  slots: [B, S], the tokens in their slots; segment 0 is an empty slot.
  source: [B, S'], the encoder's tokens; None without encoder.
  index: int32 scalar, the first free slot of the text.
  front: slots of a soft prompt, before those of the text.
  """

  layers: tuple[LayerCache, ...]
  cross: tuple[LayerCache, ...]
  slots: Stream
  source: Stream | None
  index: Array
  front: int = dataclasses.field(default=0, metadata={"static": True})

  @property
  def slot(self) -> Array:
    """Slot of the next token to be read."""
    return self.index + self.front if self.front else self.index


def prefill(
  network: nn.Module,
  params: Any,
  inputs: Stream,
  source: Stream | None,
  size: int,
) -> tuple[Array, Cache]:
  """Reads a prompt in one pass.

  Args:
    network: deterministic; its trunk "main" has no scan.
    params: its parameters.
    inputs: [B, T], the prompt, in slots 0 .. T - 1.
    source: the encoder's prompt; None without an encoder.
    size: S, at least T.

  Returns:
    (last-layer states [B, T, D], the cache).
  """
  trunk = dict(network.trunks)["main"]
  length = inputs.tokens_BxT.shape[1]
  inputs, source = network.add_prompt(inputs, source)
  front = inputs.tokens_BxT.shape[1] - length
  hidden_BxTxD, sown = _apply(network, params, inputs, source, ())
  spare = size - length

  def keep(layer: str, pad: int) -> tuple[LayerCache, ...]:
    caches = []
    for pair in read_sown(sown, trunk, layer, KEPT):
      heads_first = map(attention.heads_first, pair)
      room = ((0, 0), (0, pad), (0, 0))
      caches.append(LayerCache(*(jnp.pad(x, room) for x in heads_first)))
    return tuple(caches)

  cross = keep("cross_attention", 0) if source is not None else ()
  slots = jax.tree.map(lambda x: jnp.pad(x, ((0, 0), (0, spare))), inputs)
  layers, index = keep("attention", spare), jnp.int32(length)
  cache = Cache(layers, cross, slots, source, index, front)
  return hidden_BxTxD[:, front:] if front else hidden_BxTxD, cache


def read(
  network: nn.Module, params: Any, inputs: Stream, cache: Cache
) -> tuple[Array, Cache]:
  """Reads further tokens [B, T], into the slots from cache.index on.

  Returns:
    (last-layer states [B, T, D], the cache with index advanced by T).
  """
  trunk = dict(network.trunks)["main"]
  inputs = network.extend_prompt(inputs)
  slots = jax.tree.map(
    lambda old, new: jax.lax.dynamic_update_slice(
      old, new.astype(old.dtype), (jnp.int32(0), cache.slot)
    ),
    cache.slots,
    inputs,
  )
  past = dataclasses.replace(cache, slots=slots)
  hidden_BxTxD, sown = _apply(network, params, inputs, None, past)
  pairs = read_sown(sown, trunk, "attention", KEPT)
  layers = tuple(LayerCache(*pair) for pair in pairs)
  index = cache.index + inputs.tokens_BxT.shape[1]
  return hidden_BxTxD, dataclasses.replace(past, layers=layers, index=index)


def _apply(network, params, inputs, source, past):
  def hidden(net):
    # Prompts stand on the right of their slots; the caller checks the length.
    return net.states(inputs, source, past=past)

  run = nn.apply(hidden, network, mutable=["intermediates"])
  return run({"params": params})


def read_sown(
  variables: Mapping[str, Any], trunk: Trunk, layer: str, name: str
) -> list[Any]:
  """Returns what the layers have sown, in the order in which they ran."""
  blocks = variables["intermediates"]["stack_main"]["blocks"]
  sets = trunk.sharing or range(trunk.layers)
  return [
    blocks[f"layer_{number}"][layer][name][list(sets[:i]).count(number)]
    for i, number in enumerate(sets)
  ]
