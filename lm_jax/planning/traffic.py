"""Computes what chips exchange in a step, from shapes and shardings.

The formulas are those of docs/distributed.md; tests/planning/plan_test.py
compares them with what XLA compiles for a CPU, `python -m benchmarks.scale` for
a TPU.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from lm_jax.devices import sharding
from lm_jax.storage.digest import flatten
from lm_jax.training import flops
from lm_jax.training.plan import Plan, abstract_rows
from lm_jax.training.program import Program
from lm_jax.types import MESH_AXES, Array, Stream, Trunk


@dataclasses.dataclass(frozen=True)
class Collective:
  """An exchange of chips in a step.

  kind: "all-gather", "reduce-scatter" or "all-reduce".
  what: a description.
  axes: of the mesh.
  chips: number of chips in one exchange.
  size: bytes of the whole array, gathered or reduced, on one chip, in a step.
  """

  kind: str
  what: str
  axes: tuple[str, ...]
  chips: int
  size: int

  @property
  def sent(self) -> float:
    """Bytes that each chip sends: (n-1)/n of the size, or twice that."""
    twice = 2 if self.kind == "all-reduce" else 1
    return twice * (self.chips - 1) / self.chips * self.size


@dataclasses.dataclass(frozen=True)
class Sizes:
  """Bytes of parameters and gradients in exchanges.

  own: a chip's shard of each parameter, by name, in float32.
  gathered: parameters that fsdp splits, gathered, by name, in the compute
    dtype.
  kernels: gradients of matrices that fsdp splits, except tables, whole along
    fsdp, in the compute dtype.
  tables: gradients of tables, whole along fsdp: in the compute dtype for
    look-ups, in float32 for logits.
  rest: all other gradients: of matrices in the compute dtype, of vectors in
    float32.
  """

  own: dict[str, int]
  gathered: dict[str, int]
  kernels: int
  tables: int
  rest: int


def sizes(program: Program) -> Sizes:
  shapes = flatten(program.abstract.params)
  places = flatten(program.shardings.params)
  own = {name: shard_bytes(leaf, places[name]) for name, leaf in shapes.items()}
  trunks = [trunk for _, trunk in program.plan.network.trunks]
  low = jnp.dtype(trunks[0].dtype).itemsize
  fsdp = program.plan.mesh.shape["fsdp"]
  split = {name for name in own if fsdp > 1 and "fsdp" in places[name].spec}
  whole = {name: own[name] * (fsdp if name in split else 1) for name in own}
  tied = {f"embedder_{t.embeddings}.embedding" for t in trunks if t.tied}
  kernels = tables = rest = 0
  for name, size in whole.items():
    is_matrix = len(shapes[name].shape) > 1
    if sharding.is_table(name):
      is_output = name.startswith("output_")
      tables += 0 if is_output else size * low // 4
      tables += size if is_output or name in tied else 0
    elif is_matrix and name in split:
      kernels += size * low // 4
    else:
      rest += size * low // 4 if is_matrix else size
  gathered = {name: whole[name] * low // 4 for name in split}
  return Sizes(own, gathered, kernels, tables, rest)


def collectives(program: Program) -> Iterator[Collective]:
  """Yields the collectives of a step.

  Gradients of a tied table are reduced once for each of its two uses: XLA adds
  them afterwards.
  """
  accumulate = program.plan.accumulate
  parameter_sizes = sizes(program)
  data, fsdp, tensor = (program.plan.mesh.shape[axis] for axis in MESH_AXES)
  if parameter_sizes.gathered:
    gathered = 2 * accumulate * sum(parameter_sizes.gathered.values())
    what = "parameters, forward and backward"
    yield Collective("all-gather", what, ("fsdp",), fsdp, gathered)
    scattered = accumulate * parameter_sizes.kernels
    what = "gradients of kernels"
    yield Collective("reduce-scatter", what, ("fsdp",), fsdp, scattered)
    if data > 1:
      yield Collective("all-reduce", what, ("data",), data, scattered // fsdp)
  if data * fsdp > 1:
    what = "gradients"
    what += " of tables, norms and biases" if parameter_sizes.gathered else ""
    size = accumulate * (parameter_sizes.tables + parameter_sizes.rest)
    axes = ("data", "fsdp") if fsdp > 1 else ("data",)
    yield Collective("all-reduce", what, axes, data * fsdp, size)
  if tensor > 1:
    size = _activations_reduced(program.plan) // (data * fsdp)
    yield Collective("all-reduce", "activations", ("tensor",), tensor, size)


class _Calls(flops.Counter):
  """Counts bytes of the states that tensor parallelism reduces in a step.

  They are those of Shoeybi et al. 2019, section 3: forward, the outputs of the
  embeddings and the two outputs of each layer; backward, the inputs of a
  layer's two parts, and those of the vocabulary. Cross-attention has one output
  and two inputs.
  """

  reduced = 0

  def _layers(self, trunk: Trunk, tokens: int, layers: int, cross: int) -> None:
    width = trunk.width * jnp.dtype(trunk.dtype).itemsize
    self.reduced += tokens * width * (layers * (4 + 3 * cross) + 1)

  def hidden(
    self, inputs: Stream, source: Stream | None = None, stack: str = "main"
  ) -> Array:
    trunk = self._trunks[stack]
    cross = int(source is not None)
    self._layers(trunk, math.prod(inputs.tokens_BxT.shape), trunk.layers, cross)
    if source is not None:
      layers = trunk.encoder_layers or trunk.layers
      self._layers(trunk, math.prod(source.tokens_BxT.shape), layers, 0)
    return super().hidden(inputs, source, stack)

  def nll(self, hidden_BxTxD, targets_BxP, positions=None, stack="main"):
    trunk = self._trunks[stack]
    width = trunk.width * jnp.dtype(trunk.dtype).itemsize
    self.reduced += math.prod(targets_BxP.shape) * width
    return super().nll(hidden_BxTxD, targets_BxP, positions, stack)


def _activations_reduced(plan: Plan) -> int:
  counters: list[_Calls] = []
  network = plan.network.clone(deterministic=True)

  def count(net, problem, rng):
    trunks = dict(network.trunks)
    counters.append(_Calls(net, trunks, dict(network.head_specs)))
    return plan.objective.loss(counters[-1], problem, rng)

  def run(rows, key):
    problem = plan.objective.make(key, rows, plan.spec)
    return nn.init(count, network)({"params": key}, problem, key)

  rows = abstract_rows(plan.batch_size, plan.spec.length)
  jax.eval_shape(run, rows, jax.random.key(0))
  return counters[-1].reduced


def shard_bytes(leaf: Any, place: Any) -> int:
  """Counts the bytes of one chip's shard of an array."""
  return math.prod(place.shard_shape(leaf.shape)) * leaf.dtype.itemsize
