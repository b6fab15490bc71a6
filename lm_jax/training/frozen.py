"""Splits parameters into trained and fixed ones, and counts the cost."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax.traverse_util import flatten_dict, unflatten_dict

from lm_jax.models.unrolled import unrolled
from lm_jax.training import flops
from lm_jax.types import Apply, Array, Stream

Tree = Any
_SEPARATOR = "."


def names(tree: Tree) -> list[str]:
  """Lists the dotted paths of leaves in nested dicts."""
  return list(flatten_dict(tree, sep=_SEPARATOR))


def split(tree: Tree, trained: Callable[[str], bool]) -> tuple[Tree, Tree]:
  """Splits nested dicts into trained and fixed leaves."""
  flat = flatten_dict(tree, sep=_SEPARATOR)
  part = {name: leaf for name, leaf in flat.items() if trained(name)}
  rest = {name: leaf for name, leaf in flat.items() if name not in part}
  return (
    unflatten_dict(part, sep=_SEPARATOR),
    unflatten_dict(rest, sep=_SEPARATOR),
  )


def join(part: Tree, rest: Tree) -> Tree:
  """Joins the two trees of `split`."""
  flat = flatten_dict(part, sep=_SEPARATOR)
  return unflatten_dict(
    flat | flatten_dict(rest, sep=_SEPARATOR), sep=_SEPARATOR
  )


def select_leaves(tree: Tree, like: Tree) -> Tree:
  """Selects the leaves of a tree that another tree has."""
  flat = flatten_dict(tree, sep=_SEPARATOR)
  return unflatten_dict(
    {name: flat[name] for name in names(like)}, sep=_SEPARATOR
  )


class Plain:
  """An `Apply` whose dot products define model FLOPs.

  positions: stream tokens computed so far, of every stack, sources and soft
    prompts included.
  """

  def __init__(self, network: Any):
    self.positions = 0
    self._network = network

  def hidden(
    self, inputs: Stream, source: Stream | None = None, stack: str = "main"
  ) -> Array:
    read = inputs, source
    if stack == "main":
      read = self._network.add_prompt(inputs, source)
    for stream in read:
      if stream is not None:
        self.positions += stream.tokens_BxT.size
    return self._network.hidden(inputs, source, stack)

  def head(
    self,
    name: str,
    hidden_BxTxD: Array,
    positions: Array | None = None,
    stack: str = "main",
  ) -> Array:
    return self._network.head(name, hidden_BxTxD, positions, stack)

  def nll(
    self,
    hidden_BxTxD: Array,
    targets_BxP: Array,
    positions: Array | None = None,
    stack: str = "main",
  ) -> Array:
    """Computes -log p(target) without chunks, which compute logits twice."""
    logits_BxPxV = self.head("vocabulary", hidden_BxTxD, positions, stack)
    logp_BxPxV = jax.nn.log_softmax(logits_BxPxV)
    targets_BxPx1 = targets_BxP[:, :, None]
    return -jnp.take_along_axis(logp_BxPxV, targets_BxPx1, axis=2)[:, :, 0]


def measure(
  network: Any,
  loss: Callable[[Apply, Any, Array], Array],
  trained: Tree,
  held: Tree,
  problem: Any,
) -> tuple[int, int]:
  """Counts model FLOPs and positions of a step that trains a part.

  FLOPs are the dot products of the plain path (lm_jax/training/flops.py) in the
  loss and in the gradient of the trained parameters, for the whole batch: those
  of the forward pass; in the backward pass the gradient of the input of each
  product that has a trained parameter before it; and the gradients of the
  trained parameters. A fixed matrix has none. They are counted in the jaxpr of
  the gradient, which has no others.

  Args:
    network: in its training form.
    loss: takes an Apply, a problem and a key; returns a scalar.
    trained, held, problem: shapes.
  """
  plain = flops.plain(network)
  seen: list[Plain] = []

  def counted(net, problem, key):
    seen.append(Plain(net))
    return loss(seen[-1], problem, key)

  def total(trained, held, problem, key):
    # In a scan over layers the first layer could not cost less than the others.
    network, params = unrolled(plain, join(trained, held))
    return nn.apply(counted, network)({"params": params}, problem, key)

  jaxpr = jax.make_jaxpr(jax.value_and_grad(total))(
    trained, held, problem, jax.random.key(0)
  )
  return flops.dots(jaxpr), seen[-1].positions
