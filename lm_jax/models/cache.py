"""What a decoder keeps of the tokens that it has read: keys and values.

A cache has S slots, a static number; token i of a text stands in the slot that
`read` gave it. Which slots a token sees is what lm_jax/visibility.py says of
the ranks and segments in `Cache.slots`, as it is for tokens read together, so
that attention knows no other rule here.
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

# Under which Attention sows what it has read or written.
KEPT = "keys_and_values"


class LayerCache(NamedTuple):
  """Keys and values of a layer, [B * G, S, K] in the compute dtype.

  The G heads of a row stand together.
  """

  keys: Array
  values: Array


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Cache:
  """All that the next token needs of those before it.

  layers: of each layer what its self-attention has read.
  cross: of each layer what it reads of the encoder's states; () without.
  slots: [B, S], the tokens in their slots; segment 0 is an empty one.
  source: [B, S'], the encoder's tokens; None without.
  index: int32 scalar, the first of the text's slots that is free.
  front: slots before the text's: of a soft prompt.
  """

  layers: tuple[LayerCache, ...]
  cross: tuple[LayerCache, ...]
  slots: Stream
  source: Stream | None
  index: Array
  front: int = dataclasses.field(default=0, metadata={"static": True})

  @property
  def slot(self) -> Array:
    """The slot of the first token that is being read."""
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
  inputs, source = network.laid_out(inputs, source)
  front = inputs.tokens_BxT.shape[1] - length
  hidden_BxTxD, sown = _apply(network, params, inputs, source, ())
  spare = size - length

  def keep(layer: str, pad: int) -> tuple[LayerCache, ...]:
    found = []
    for pair in _sown(sown, trunk, layer):
      heads_first = map(attention.heads_first, pair)
      room = ((0, 0), (0, pad), (0, 0))
      found.append(LayerCache(*(jnp.pad(x, room) for x in heads_first)))
    return tuple(found)

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
  inputs = network.gone_on(inputs)
  slots = jax.tree.map(
    lambda old, new: jax.lax.dynamic_update_slice(
      old, new.astype(old.dtype), (jnp.int32(0), cache.slot)
    ),
    cache.slots,
    inputs,
  )
  past = dataclasses.replace(cache, slots=slots)
  hidden_BxTxD, sown = _apply(network, params, inputs, None, past)
  layers = tuple(LayerCache(*pair) for pair in _sown(sown, trunk, "attention"))
  index = cache.index + inputs.tokens_BxT.shape[1]
  return hidden_BxTxD, dataclasses.replace(past, layers=layers, index=index)


def _apply(network, params, inputs, source, past):
  def hidden(net):
    # Prompts stand on the right of their slots; whoever lays them out counts.
    return net.states(inputs, source, past=past)

  run = nn.apply(hidden, network, mutable=["intermediates"])
  return run({"params": params})


def _sown(
  variables: Mapping[str, Any], trunk: Trunk, layer: str
) -> list[tuple[Array, Array]]:
  """What the layers have sown, by the order in which they ran."""
  blocks = variables["intermediates"]["stack_main"]["blocks"]
  sets = trunk.sharing or range(trunk.layers)
  return [
    blocks[f"layer_{number}"][layer][KEPT][list(sets[:i]).count(number)]
    for i, number in enumerate(sets)
  ]
