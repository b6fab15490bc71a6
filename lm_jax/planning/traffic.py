"""What the chips of a mesh exchange in a step, by shapes and shardings.

The formulas are those of docs/distributed.md; tests/plan_test.py holds them to
what XLA compiles.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from lm_jax.storage.digest import flatten
from lm_jax.training import flops
from lm_jax.training.program import Plan, Program, abstract_rows
from lm_jax.types import MESH_AXES, Array, Stream, Trunk


@dataclasses.dataclass(frozen=True)
class Collective:
  """Something that chips exchange in a step.

  kind: "all-gather", "reduce-scatter" or "all-reduce".
  what: for people.
  axes: of the mesh.
  chips: that take part in one.
  size: bytes of the whole, gathered or reduced, on one chip, in a step.
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


def sizes(
  program: Program,
) -> tuple[dict[str, int], dict[str, int], dict[str, int]]:
  """Of each parameter: bytes of a chip's shard; of what fsdp gathers, where it
  is split by that; and of the tables that serve twice, those of a shard.
  """
  shapes = flatten(program.abstract.params)
  places = flatten(program.shardings.params)
  own = {name: shard_bytes(leaf, places[name]) for name, leaf in shapes.items()}
  fsdp = program.plan.mesh.shape["fsdp"]
  gathered = {
    name: fsdp * own[name]
    for name in shapes
    if fsdp > 1 and "fsdp" in places[name].spec
  }
  tied = [trunk for _, trunk in program.plan.network.trunks if trunk.tied]
  tables = {f"embedder_{trunk.embeddings}.embedding" for trunk in tied} & set(
    own
  )
  return own, gathered, {name: own[name] for name in tables}


def collectives(program: Program) -> Iterator[Collective]:
  """What a step exchanges.

  Gradients of a tied table are reduced once for each of its two uses: XLA adds
  them up after that.
  """
  accumulate = program.plan.accumulate
  own, gathered, tables = sizes(program)
  data, fsdp, tensor = (program.plan.mesh.shape[axis] for axis in MESH_AXES)
  if gathered:
    yield Collective(
      "all-gather",
      "parameters, forward and backward",
      ("fsdp",),
      fsdp,
      2 * accumulate * sum(gathered.values()),
    )
    reduced = sum(gathered.values())
    reduced += fsdp * sum(tables[name] for name in tables if name in gathered)
    yield Collective(
      "reduce-scatter", "gradients", ("fsdp",), fsdp, accumulate * reduced
    )
  if data > 1 and gathered:
    split = sum(own[name] for name in gathered)
    split += sum(tables[name] for name in tables if name in gathered)
    yield Collective(
      "all-reduce", "gradients", ("data",), data, accumulate * split
    )
  whole = sum(own[name] for name in own if name not in gathered)
  whole += sum(tables[name] for name in tables if name not in gathered)
  if data * fsdp > 1 and whole:
    rest = fsdp > 1
    yield Collective(
      "all-reduce",
      "gradients of what fsdp does not split" if rest else "gradients",
      ("data", "fsdp") if rest else ("data",),
      data * fsdp,
      accumulate * whole,
    )
  if tensor > 1:
    size = _activations_reduced(program) // (data * fsdp)
    yield Collective("all-reduce", "activations", ("tensor",), tensor, size)


class _Calls(flops.Counter):
  """Counts the states that tensor parallelism reduces: bytes of a step.

  Forward, the embeddings' and each layer's two outputs; backward, the inputs
  of each of a layer's projections, and those of the vocabulary. (The inputs of
  query, key and value could be added up before they are reduced, as in
  Shoeybi et al. 2019; XLA reduces each.)
  """

  reduced = 0

  def _layers(self, trunk: Trunk, tokens: int, layers: int, cross: int) -> None:
    width = trunk.width * jnp.dtype(trunk.dtype).itemsize
    gated = trunk.activation.removesuffix("_exact").endswith("glu")
    each = 2 + 3 + (2 if gated else 1) + 4 * cross
    self.reduced += tokens * width * (layers * each + 1)

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


def _activations_reduced(program: Program) -> int:
  counters: list[_Calls] = []

  def count(net, problem, rng):
    plan = program.plan
    trunks = dict(plan.network.trunks)
    counters.append(_Calls(net, trunks, dict(plan.network.head_specs)))
    return plan.objective.loss(counters[-1], problem, rng)

  _trace(program.plan, count, program.plan.network.clone(deterministic=True))
  return counters[-1].reduced


def _trace(plan: Plan, loss: Any, network: Any) -> None:
  """Calls a loss on shapes only."""

  def run(rows, key):
    problem = plan.objective.make(key, rows, plan.spec)
    return nn.init(loss, network)({"params": key}, problem, key)

  rows = abstract_rows(plan.batch_size, plan.spec.length)
  jax.eval_shape(run, rows, jax.random.key(0))


def shard_bytes(leaf: Any, sharding: Any) -> int:
  """Bytes of what one chip holds of an array."""
  return math.prod(sharding.shard_shape(leaf.shape)) * leaf.dtype.itemsize
