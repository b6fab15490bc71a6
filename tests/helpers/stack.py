"""A small transformer for tests: its streams, parameters and outputs."""

from __future__ import annotations

import dataclasses
import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import toy

from lm_jax import layout
from lm_jax.models.network import Network
from lm_jax.types import Trunk

BASE = Trunk(
  layers=2, width=16, heads=2, feedforward=24, vocabulary=31, max_positions=16
)
T, S = 10, 7


def stream(mask, length=T, seed=0):
  """Two rows: a long and a short segment, and one with padding behind."""
  rng = np.random.default_rng(seed)
  index = np.arange(length)
  segment = np.stack([1 + (index >= length - 4), index < length - 2])
  segment = segment.astype(np.int32)
  rank = None
  if mask == "ranked":
    rank = rng.integers(0, 4, segment.shape).astype(np.int32)
  stream = layout.stream(
    rng.integers(0, BASE.vocabulary, segment.shape).astype(np.int32),
    jnp.array(segment),
    mask,
    rank,
    type_BxT=rng.integers(0, 2, segment.shape).astype(np.int32),
  )
  return jax.tree.map(np.asarray, stream)


def inputs(trunk, length=T):
  """What the stack reads: inputs and source."""
  mask = {
    "encoder": "full",
    "causal_decoder": "causal",
    "prefix_decoder": "ranked",
    "encoder_decoder": "causal",
  }[trunk.architecture]
  source = None
  if trunk.architecture == "encoder_decoder":
    source = stream("full", S, seed=1)
  return stream(mask, length), source


def forward(net, inputs, source):
  hidden = net.hidden(inputs, source)
  return hidden, net.head("vocabulary", hidden)


def network(trunk, deterministic=True):
  return Network((("main", trunk),), deterministic=deterministic)


@functools.cache
def shapes(trunk):
  init = functools.partial(nn.init(forward, network(trunk)))
  out = jax.eval_shape(init, jax.random.key(0), *inputs(trunk))
  return nn.meta.unbox(out)["params"]


def params(trunk):
  """Large, and biases and scales are not trivial."""
  return toy.draw(shapes(trunk))


def apply(trunk, params, inputs, source, rngs=None):
  """Hidden states and logits; with rngs, dropout acts."""
  net = network(trunk, deterministic=rngs is None)
  return nn.apply(forward, net)({"params": params}, inputs, source, rngs=rngs)


run = jax.jit(apply, static_argnums=0)


def like(**options):
  return dataclasses.replace(BASE, **options)


def differ(a, b):
  """Do two trees of parameters differ in paths or shapes?"""
  one, other = (
    {jax.tree_util.keystr(path): leaf.shape for path, leaf in leaves}
    for leaves in map(jax.tree_util.tree_leaves_with_path, (a, b))
  )
  return one != other
