"""Functions of a network, compiled once for each shape of inputs."""

from __future__ import annotations

import functools
from collections.abc import Callable

import flax.linen as nn
import jax
import numpy as np

from lm_jax.inference import pooling
from lm_jax.inference.score import exact
from lm_jax.models.relative_attention import memories
from lm_jax.types import Array, Head, Stream


@functools.lru_cache(maxsize=64)
def logits(network, name: str, head: Head | None, end: int) -> Callable:
  """(params, inputs, source, past) -> the logits of an output."""

  def run(net, inputs: Stream, source: Stream | None, past) -> Array:
    return pooling.logits(net, inputs, source, name, head, end, past)

  return exact(run, network)


@functools.lru_cache(maxsize=8)
def states(network) -> Callable:
  """(params, inputs, source, past) -> last-layer states, float32."""

  def run(net, inputs: Stream, source: Stream | None, past) -> Array:
    hidden_BxTxD = pooling.hidden(net, inputs, source, past)
    return hidden_BxTxD.astype(np.float32)

  return exact(run, network)


@functools.lru_cache(maxsize=8)
def memory(network, longest: int) -> Callable:
  """(params, inputs, past) -> XLNet's memory of each layer."""

  def hidden(net, inputs: Stream, past) -> Array:
    return net.hidden(inputs, past=past)

  apply = nn.apply(hidden, network, mutable=["intermediates"])
  trunk = dict(network.trunks)["main"]

  @jax.jit
  def run(params, inputs, past):
    with jax.default_matmul_precision("highest"):
      _, variables = apply({"params": params}, inputs, past)
    return memories(variables, trunk, past, longest=longest)

  return run
