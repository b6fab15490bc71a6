"""Shards one jitted step over a mesh: maps logical axes to mesh axes.

Rows are split over data and fsdp; parameters over fsdp by their width and
over tensor by heads, feed-forward width and vocabulary. XLA inserts the
collectives.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import jax
import numpy as np
from jax.ad_checkpoint import checkpoint_name
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from lm_jax.support.errors import UsageError
from lm_jax.types import MESH_AXES, Array

# Logical axis of a parameter -> mesh axis.
RULES: dict[str, str | None] = {
  "vocabulary": "tensor",
  "heads": "tensor",
  "kv_heads": "tensor",
  "mlp": "tensor",
  "embed": "fsdp",
  "norm": None,
  "layers": None,
}

_GATHERED = "gathered"

Tree = Any


def make_mesh(sizes: Mapping[str, int] | None = None) -> Mesh:
  """Makes a mesh of all devices, to whose number the sizes must multiply.

  Axes without a size get size 1, except data, which gets the rest.
  """
  sizes = dict(sizes or {})
  devices = jax.device_count()
  others = int(np.prod([sizes.get(axis, 1) for axis in MESH_AXES[1:]]))
  sizes.setdefault("data", max(1, devices // others))
  shape = tuple(sizes.get(axis, 1) for axis in MESH_AXES)
  if int(np.prod(shape)) != devices:
    wanted = ",".join(
      f"{axis}={size}" for axis, size in zip(MESH_AXES, shape, strict=True)
    )
    raise UsageError(
      f"--mesh={wanted}: multiplies to {int(np.prod(shape))}, and there are "
      f"{devices} devices"
    )
  return jax.make_mesh(
    shape, MESH_AXES, axis_types=(AxisType.Auto,) * len(MESH_AXES)
  )


def rows(mesh: Mesh) -> NamedSharding:
  """Sharding of arrays whose first axis is the batch."""
  return NamedSharding(mesh, PartitionSpec(("data", "fsdp")))


def share(mesh: Mesh) -> tuple[int, int]:
  """Returns this process's rows of a batch: (i, n) is block i of n.

  Blocks are contiguous and of equal size. Processes that split parameters among
  them share a block. If the order of the devices leaves a process with no such
  block, the result is the whole batch, (0, 1).
  """
  count = mesh.shape["data"] * mesh.shape["fsdp"]
  places = rows(mesh).addressable_devices_indices_map((count,))
  held = sorted(
    {index[0].indices(count)[0] for index in places.values() if index}
  )
  first, size = held[0], len(held)
  if held != list(range(first, first + size)) or first % size or count % size:
    return 0, 1
  return first // size, count // size


def place_arrays(tree: Tree, shardings: Tree) -> Tree:
  """Places arrays by other shardings; all processes pass the same values."""

  def place_leaf(leaf, sharding):
    if sharding.is_fully_addressable:
      return jax.device_put(leaf, sharding)
    if isinstance(leaf, jax.Array) and not leaf.is_fully_addressable:
      return jax.jit(lambda x: x, out_shardings=sharding)(leaf)
    host = np.asarray(leaf)
    return jax.make_array_from_callback(
      host.shape, sharding, lambda index: host[index]
    )

  return jax.tree.map(place_leaf, tree, shardings)


def fetch(x: Any) -> np.ndarray:
  """Copies a whole array to the host of every process; all must call it."""
  if x.is_fully_addressable or x.is_fully_replicated:
    return np.asarray(x)
  from jax.experimental import multihost_utils

  return np.asarray(multihost_utils.process_allgather(x, tiled=True))


def replicated(mesh: Mesh) -> NamedSharding:
  """Sharding that keeps a whole array on every device."""
  return NamedSharding(mesh, PartitionSpec())


def parameters(mesh: Mesh, boxed: Tree) -> Tree:
  """Shardings of parameters that carry logical axis names.

  An axis whose size the mesh axis does not divide stays whole.

  Args:
    mesh: data x fsdp x tensor.
    boxed: shapes from `jax.eval_shape` of the initializer, still boxed.
  """

  def sharding(leaf):
    if not isinstance(leaf, nn.LogicallyPartitioned):
      return replicated(mesh)
    axes = []
    for name, size in zip(leaf.names, leaf.value.shape, strict=True):
      axis = RULES[name] if name is not None else None
      divides = axis is not None and size % mesh.shape[axis] == 0
      axes.append(axis if divides else None)
    return NamedSharding(mesh, PartitionSpec(*axes))

  return jax.tree.map(
    sharding,
    boxed,
    is_leaf=lambda leaf: isinstance(leaf, nn.LogicallyPartitioned),
  )


def gathered(params: Tree, shardings: Tree) -> Tree:
  """Returns parameters as a loss uses them, inside jit: whole along fsdp.

  By default, XLA may instead move the activations of the whole batch to the
  slices of the parameters. The shardings are those of `parameters`.
  """

  def gather(path, leaf, sharding):
    # An embedding table gets its gradient by a scatter: to split that, XLA
    # would gather the states of the whole batch.
    made = (_whole if is_table(path[-1].key) else _gather)(leaf, sharding)
    return checkpoint_name(made, _GATHERED)

  if jax.tree.leaves(shardings)[0].mesh.shape["fsdp"] == 1:
    return params
  return jax.tree_util.tree_map_with_path(gather, params, shardings)


def is_table(name: str) -> bool:
  """Returns whether a parameter, by name or path, is an embedding table."""
  return name.endswith("embedding")


def _whole(leaf: Array, sharding: NamedSharding) -> Array:
  axes = [None if axis == "fsdp" else axis for axis in sharding.spec]
  place = NamedSharding(sharding.mesh, PartitionSpec(*axes))
  return jax.lax.with_sharding_constraint(leaf, place)


@functools.partial(jax.custom_vjp, nondiff_argnums=(1,))
def _gather(leaf: Array, sharding: NamedSharding) -> Array:
  """Gathers like `_whole`; the gradient has the parameter's sharding.

  The gradient of a constraint has the same constraint: it would be reduced
  whole on each device, and most of it thrown away.
  """
  return _whole(leaf, sharding)


def _gather_forward(leaf, sharding):
  return _whole(leaf, sharding), None


def _gather_backward(sharding, _, grad):
  return (jax.lax.with_sharding_constraint(grad, sharding),)


_gather.defvjp(_gather_forward, _gather_backward)


def gather_again(loss: Any, mesh: Mesh) -> Any:
  """Returns the loss with parameters gathered again for the backward pass.

  So they are not held in between; all its other results are.
  """
  if mesh.shape["fsdp"] == 1:
    return loss
  policies = jax.checkpoint_policies
  return jax.checkpoint(
    loss, policy=policies.save_anything_except_these_names(_GATHERED)
  )


def like_parameters(
  mesh: Mesh, shapes: Tree, params: Tree, shardings: Tree
) -> Tree:
  """Shardings of optimizer state: those of the matching parameters.

  A leaf whose path ends in a parameter's path and that has its shape gets
  its sharding; anything else is replicated.
  """
  leaves = jax.tree_util.tree_leaves_with_path(params)
  places = jax.tree.leaves(shardings)
  known = {
    tuple(map(str, path)): (leaf.shape, sharding)
    for (path, leaf), sharding in zip(leaves, places, strict=True)
  }
  depths = {len(path) for path in known}

  def sharding_of(path, leaf):
    path = tuple(map(str, path))
    for depth in depths:
      shape, sharding = known.get(path[-depth:], (None, None))
      if shape == leaf.shape:
        return sharding
    return replicated(mesh)

  return jax.tree_util.tree_map_with_path(sharding_of, shapes)
